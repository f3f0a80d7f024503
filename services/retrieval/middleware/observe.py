"""Every request is counted, timed and logged, once it is answered."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics
from services.retrieval import logs
from services.retrieval.asked import asked_of

LEFT = 499  # nobody was there any more to be answered
_ADDRESS = frozenset("0123456789abcdefABCDEF.:")


class Observe:
    """ASGI middleware: requests by route, status and generation, their seconds by route, and the log; but the process's own."""

    def __init__(self, app: ASGIApp, generation: Callable[[], str]) -> None:
        self._app = app
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("state", {}).get("probe"):  # by the process itself, several times a second
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status, sent = LEFT, 0

        async def send_noting_all(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_noting_all)
        finally:
            seconds = time.perf_counter() - started
            asked, generation = asked_of(scope), self._generation()
            metrics.requests(asked.route, status, generation).inc()
            metrics.request_seconds(asked.route).observe(seconds)
            logs.answered(asked, logs.Answered(status, sent, seconds, generation, client_of(scope)))


def client_of(scope: Scope) -> str:
    """Address of the other end; a server may have it from a header, so that it has to look like one."""
    client = scope.get("client")
    address = client[0] if client else ""
    return address if len(address) <= 45 and _ADDRESS.issuperset(address) else ""
