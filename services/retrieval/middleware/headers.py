"""Response headers that protect who uses the service in a browser."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.retrieval.asked import asked_of

HEADERS = {
    # Everything from here, no inline script or style, nobody's frame. Trusted Types: no text ever becomes markup.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # for browsers that do not know frame-ancestors
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
NO_STORE = (b"cache-control", b"no-store")


class SecurityHeaders:
    """ASGI middleware: the same headers on every answer; and no cache keeps an error, or what a key was needed for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                if message["status"] >= 400 or asked_of(scope).caller.keyed:
                    headers = [*(pair for pair in headers if pair[0].lower() != b"cache-control"), NO_STORE]
                message["headers"] = [*headers, *RAW_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)
