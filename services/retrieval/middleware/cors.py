"""Pages of other origins, where TAXOHASH_CORS_ORIGINS lists them; by default there are none, and no header says a word of it."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_DAY = 86_400


class Cors(CORSMiddleware):
    """ASGI middleware: Starlette's for listed origins, never with cookies. A question of another's page is not for it."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"),
            expose_headers=("X-Request-ID", "X-Generation", "Retry-After"),
            max_age=_DAY,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listed = self.is_allowed_origin(Headers(scope=scope).get("origin", ""))
        away = scope["method"] == "OPTIONS" and not listed
        await (self.app if away else super().__call__)(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a listed page may do. Its browser holds its request against that: there is nothing to refuse here."""
        told = super().preflight_response(request_headers).headers
        kept = {name: value for name, value in told.items() if not name.startswith("content-")}
        return Response(status_code=204, headers=kept)
