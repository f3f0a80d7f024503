"""Who asks, as the gate found out."""

from typing import NamedTuple

from services.retrieval.access.roles import Role


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        name: of the key; for the logs.
        role: what it may do.
        keyed: it showed a key.
    """

    name: str
    role: Role
    keyed: bool


ANONYMOUS = "anonymous"
EVERYBODY = Caller(ANONYMOUS, "search", False)
