"""Who may ask."""

import hmac
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.retrieval.errors import RefusedError, refusal_response


class BearerAuth:
    """ASGI middleware: paths under /v1/ need the token, where there is one; the page, health and metrics do not."""

    def __init__(self, app: ASGIApp, token: Callable[[], str | None]) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._unauthorised(scope) or self._app)(scope, receive, send)

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
