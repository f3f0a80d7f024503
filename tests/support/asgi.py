"""An ASGI application asked directly: every byte of the request is the test's, as no client tidies it up."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Scope

from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.table import Table

OUTSIDE = ("10.1.2.3", 3000)
LOOPBACK = ("127.0.0.1", 3000)


@dataclass
class Answer:
    """What came back.

    Attributes:
        reads: how often the body was asked for.
        headers: with names in lower case.
    """

    status: int = 0
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    reads: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode("latin-1") for name, value in self.raw_headers}

    def json(self) -> Any:
        return json.loads(self.body)

    def reason(self) -> str:
        """The reason of a problem, which is checked for its form."""
        told = self.json()
        assert self.headers["content-type"] == "application/problem+json"
        assert set(told) == {"type", "title", "status", "detail", "request_id"}
        assert told["status"] == self.status
        assert told["request_id"] == self.headers["x-request-id"]
        assert "\n" not in told["detail"]
        return str(told["type"]).removeprefix("urn:taxohash:")


def scope_of(
    method: str,
    path: str,
    headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = (),
    server: tuple[str, int | None] | None = OUTSIDE,
    query: bytes = b"",
) -> dict[str, Any]:
    """A request as a server hands it over; without a Host header it asks for the server's address."""
    if isinstance(headers, Mapping):
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    else:
        raw = list(headers)
    if server and not any(name == b"host" for name, _ in raw):
        raw.append((b"host", f"{server[0]}:{server[1]}".encode()))
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "method": method, "path": path, "raw_path": path.encode("utf-8", "surrogatepass"), "query_string": query,
        "headers": raw, "server": server, "client": ("192.0.2.7", 40000), "state": {},
    }  # fmt: skip


async def asked(app: ASGIApp, scope: Scope, body: bytes = b"") -> Answer:
    """The application's answer to one request."""
    answer = Answer()

    async def receive() -> Message:
        answer.reads += 1
        if answer.reads > 1:
            await asyncio.Event().wait()  # the client stays, and says no more
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert answer.status == 0
            answer.status, answer.raw_headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


def ask(app: ASGIApp, method: str, path: str, *arguments: Any, body: bytes = b"", **options: Any) -> Answer:
    """As `asked`, of a scope made of these arguments."""
    return asyncio.run(asked(app, scope_of(method, path, *arguments, **options), body))


async def _let_in(request: Request) -> Response:
    return JSONResponse({"let in": request.scope["route"].name})


# Every route, each answering that it was reached; and what the next ones will need.
REACHED = Table(
    [
        *(endpoint._replace(answer=_let_in) for endpoint in ENDPOINTS),
        Endpoint("PUT", "/v1/made-up/{item:item_id}", _let_in, "made-up-write", "write"),
        Endpoint("POST", "/v1/made-up-admin", _let_in, "made-up-admin", "admin"),
    ]
)
