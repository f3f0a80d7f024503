"""The front door of every route: token, response headers, counts and times."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from services.retrieval.middleware.auth import BearerAuth
from services.retrieval.middleware.headers import SecurityHeaders
from services.retrieval.middleware.measure import Measure


class Guard:
    """ASGI middleware around the routes; websockets are closed, what is neither they nor HTTP passes."""

    def __init__(self, app: ASGIApp, token: Callable[[], str | None], generation: Callable[[], str]) -> None:
        self._app = app
        self._http = Measure(SecurityHeaders(BearerAuth(app, token)), generation)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)
