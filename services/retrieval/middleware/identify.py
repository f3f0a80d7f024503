"""A request gets its id and its endpoint, before anything else."""

import random
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.retrieval.asked import Asked, note
from services.retrieval.routes.table import Table
from services.web.headers import values

HEADER = b"x-request-id"
OTHER = "OTHER"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
_FIT = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Identify:
    """ASGI middleware: an X-Request-ID on every answer, the client's own where it is fit to stand in a log."""

    def __init__(self, app: ASGIApp, table: Table) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._table.find(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        request_id = request_id_for(scope)
        if found.endpoint:
            note(scope, Asked(request_id, method, found.endpoint.name, found.endpoint.access))
        else:
            note(scope, Asked(request_id, method, "none", None, found.allowed))
        header = (HEADER, request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id_for(scope: Scope) -> str:
    """The client's id of a request, or a new one."""
    given = values(scope["headers"], HEADER)
    if len(given) == 1 and _FIT.fullmatch(given[0]):
        return given[0].decode()
    return f"{random.getrandbits(64):016x}"  # nobody has to guess it, and it needs no call of the system
