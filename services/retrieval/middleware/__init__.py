"""The front door of every route: token, response headers, counts and times."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.retrieval.middleware.headers import SecurityHeaders
from services.retrieval.middleware.measure import Measure
from services.retrieval.service import Service


class Guard:
    """ASGI middleware around the routes; websockets are closed, what is neither they nor HTTP passes.

    Attributes:
        service: what the routes work with.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.service = service
        self._app = app
        self._http = Measure(SecurityHeaders(app), self._generation)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _generation(self) -> str:
        served = self.service.served
        return served.generation if served else ""
