"""Who asks, as the gate found out."""

from typing import NamedTuple

from services.retrieval.access.rate import Bucket
from services.retrieval.access.roles import Role


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        name: of the key; for the logs.
        role: what it may do.
        keyed: it showed a key.
        bucket: what bounds its rate, where something does.
    """

    name: str
    role: Role
    keyed: bool
    bucket: Bucket | None = None

    def charge(self, things: int) -> None:
        """Count what was asked with one request as so many requests of its key: what is too much, the next waits for."""
        if self.bucket is not None and things > 1:
            self.bucket.owe(things - 1)


ANONYMOUS = "anonymous"
EVERYBODY = Caller(ANONYMOUS, "search", False)
