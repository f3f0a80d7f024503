"""What is known of a request, from its first byte to its line in the log."""

from dataclasses import dataclass
from typing import cast

from starlette.types import Scope

from services.retrieval.access import EVERYBODY, Access, Caller


@dataclass(slots=True)
class Asked:
    """A request. Nothing here is a client's own text, unless it was checked.

    Attributes:
        id: told to the client, and in every line about this request.
        method: of those that HTTP knows, or OTHER.
        route: name of the endpoint, or "none".
        access: what the endpoint needs; None: there is no such endpoint.
        allowed: methods that the path has, where it does not have this one.
        caller: who asks, once that is known.
        why: it was not let in.
    """

    id: str
    method: str
    route: str
    access: Access | None
    allowed: tuple[str, ...] = ()
    caller: Caller = EVERYBODY
    why: str = ""


def note(scope: Scope, asked: Asked) -> None:
    """Keep it with the request. Servers share one state among all requests: this one gets its own."""
    scope["state"] = {**scope.get("state", {}), "asked": asked, "request_id": asked.id}


def asked_of(scope: Scope) -> Asked:
    """What is known of the request with this scope."""
    return cast(Asked, scope["state"]["asked"])
