"""The front door of every route: id, log and counts, generation, response headers, failures, other origins, and who may enter."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.retrieval import answering
from services.retrieval.middleware.cors import Cors
from services.retrieval.middleware.failures import Failures
from services.retrieval.middleware.gated import Gated
from services.retrieval.middleware.generation import Generation
from services.retrieval.middleware.headers import SecurityHeaders
from services.retrieval.middleware.identify import Identify
from services.retrieval.middleware.observe import Observe
from services.retrieval.middleware.websockets import refuse_websocket
from services.retrieval.routes.table import Table
from services.retrieval.service import Service


class Guard:
    """ASGI middleware around the routes; websockets are refused, what is neither they nor HTTP passes.

    Attributes:
        service: what the routes work with.
    """

    def __init__(self, app: ASGIApp, service: Service, table: Table) -> None:
        self.service = service
        self._app = app
        inner: ASGIApp = Gated(app, service.gate)
        if origins := service.settings.cors_origins:
            inner = Cors(inner, origins)
        named = Generation(SecurityHeaders(Failures(inner)), self.generation)
        self._http = Identify(Observe(named, self.generation), table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def generation(self) -> str:
        """The one that the request of this task took, else the one that is served; empty: none."""
        served = self.service.served
        return answering.answered_by() or (served.generation if served else "")
