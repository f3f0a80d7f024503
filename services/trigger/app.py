"""The application: the routes behind their door."""

import base64
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from services import metrics
from services.codestore import StoreUnavailableError
from services.trigger.access import admit
from services.trigger.page import STYLE
from services.trigger.routes import ENDPOINTS
from services.trigger.service import Service
from services.web.logs import Sparing
from services.web.problems import answer_to, bug, gone, no_store, refused, told
from services.web.refused import RefusedError

LOG = logging.getLogger("taxohash.requests")
_LEFT = 499  # nobody was there any more to be answered
_refusals = Sparing("that were refused")
_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",  # the address of the approval page is its key
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def application(service: Service) -> ASGIApp:
    """The ASGI application over a service, which starts and stops with it."""

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()

    routes = [Route(own.path, own.answer, methods=[own.method], name=own.name) for own in ENDPOINTS]
    app = Starlette(routes=routes, exception_handlers=_HANDLERS, lifespan=living)
    app.router.redirect_slashes = False
    app.state.service = service
    return Door(app, routes, service)


class Door:
    """ASGI middleware: decides by the table of endpoints before anything of a body is read; an id, headers and a line a request."""

    def __init__(self, app: ASGIApp, routes: list[Route], service: Service) -> None:
        self._app, self._routes, self._service = app, routes, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, statuses, request_id = time.perf_counter(), [_LEFT], secrets.token_hex(8)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                added = {**_HEADERS, "x-request-id": request_id}
                pairs = [(name.encode(), value.encode()) for name, value in added.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        name = "none"
        try:
            name = self._admitted(scope)
            await self._app(scope, receive, send_with_headers)
        except RefusedError as error:
            await answer_to(error, request_id)(scope, receive, send_with_headers)
        finally:
            _log(name, statuses[-1], request_id, time.perf_counter() - began)

    def _admitted(self, scope: Scope) -> str:
        """Name of the endpoint of a request that is let in."""
        allowed: set[str] = set()
        for endpoint, route in zip(ENDPOINTS, self._routes, strict=True):
            match, _ = route.matches(scope)
            if match is Match.FULL:
                if endpoint.access == "token":
                    admit(scope, self._service.settings.token_file)
                return endpoint.name
            if match is Match.PARTIAL:
                allowed |= route.methods or set()
        path = repr(scope["path"][:60])
        if allowed:
            methods = ", ".join(sorted(allowed))
            raise RefusedError(
                405, "method", f"this is not answered at {path}: use {methods}", {"Allow": methods}
            )
        raise RefusedError(
            404, "path", f"there is nothing at {path}: POST alerts to /v1/alerts, or GET /v1/runs"
        )


def _log(name: str, status: int, request_id: str, seconds: float) -> None:
    """Count a request and write a line of it; of probes none, and of refusals sparingly, so that a flood of them fills no disk."""
    metrics.TRIGGER_REQUESTS.labels(name, f"{status // 100}xx").inc()
    if name in ("livez", "readyz", "metrics") or (status >= 400 and not _refusals.fits(time.monotonic())):
        return
    told = {"request_id": request_id, "route": name, "status": status, "ms": round(1000.0 * seconds, 2)}
    LOG.info("request", extra=told)


async def _unreadable(request: Request, error: Exception) -> Response:
    """What Starlette raises. Its text is not ours, and not told."""
    assert isinstance(error, HTTPException)
    return told(
        request, RefusedError(error.status_code, "request", "request cannot be read: see docs/trigger.md")
    )


_HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    HTTPException: _unreadable,
    RefusedError: refused,
    StoreUnavailableError: no_store,
    ClientDisconnect: gone,
    Exception: bug,
}
