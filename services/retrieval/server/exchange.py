"""One request and its answer, between the protocol and the application."""

import asyncio
import logging

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from services.retrieval.server import answers
from services.retrieval.server.heads import Fault

LOG = logging.getLogger("taxohash.server")


class Exchange:
    """ASGI application that answers whatever becomes of the one inside, and closes where a request was not read whole."""

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._cycle = cycle
        self._app = app

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        cycle = self._cycle

        async def send_knowing_the_end(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start" and cycle.more_body:
                cycle.keep_alive = False
            await send(message)

        fault: Fault | None = None
        try:
            await self._app(scope, receive, send_knowing_the_end)
        except asyncio.CancelledError:  # at the end of a drain
            fault = answers.DRAINING
        except Exception:
            LOG.exception("a request failed")
            fault = answers.FAILED
        if cycle.response_complete or cycle.disconnected:
            return
        if cycle.response_started:
            cycle.transport.close()
            return
        if fault is None:
            LOG.error("a request was not answered by the application")
        await refuse(fault or answers.FAILED)(scope, receive, send_knowing_the_end)


def refuse(fault: Fault) -> ASGI3Application:
    """An application that says the same to everybody."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers, body = answers.content(fault)
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app
