"""Counts and times of every answer."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics


class Measure:
    """ASGI middleware: requests by route, status and generation, and their seconds by route."""

    def __init__(self, app: ASGIApp, generation: Callable[[], str]) -> None:
        self._app = app
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            route = route_name(scope)
            metrics.REQUESTS.labels(route, str(status), self._generation()).inc()
            metrics.REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)


def route_name(scope: Scope) -> str:
    """Name of the route that answered, of a fixed set."""
    return getattr(scope.get("route"), "name", None) or "none"
