"""The front door of every route: token, errors in one form, response headers, counts and times."""

import hmac
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.retrieval import metrics
from services.retrieval.refusal import RefusedError

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware around the routes.

    Paths under /v1/ need the token, where there is one; the page, health and metrics do not.
    """

    def __init__(self, app: ASGIApp, token: Callable[[], str | None], generation: Callable[[], str]) -> None:
        self._app = app
        self._token = token
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        status = 500

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            refused = self._unauthorised(scope)
            await (refused or self._app)(scope, receive, send_guarded)
        finally:
            route = route_name(scope)
            metrics.REQUESTS.labels(route, str(status), self._generation()).inc()
            metrics.REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)
        return None

    def _unauthorised(self, scope: Scope) -> JSONResponse | None:
        token = self._token()
        if token is None or not scope["path"].startswith("/v1/"):
            return None
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
            return None
        what = "a wrong token" if given else "no token"
        refusal = RefusedError(
            401,
            "token",
            f"request has {what}: send the header 'Authorization: Bearer TOKEN' with this service's token",
            {"WWW-Authenticate": "Bearer"},
        )
        return refusal_response(refusal)


def refusal_response(refused: RefusedError) -> JSONResponse:
    """The one form of every error: {"error": sentence}."""
    return JSONResponse({"error": str(refused)}, refused.status, refused.headers)


def route_name(scope: Scope) -> str:
    """Name of the route that answered, of a fixed set."""
    return getattr(scope.get("route"), "name", None) or "none"
