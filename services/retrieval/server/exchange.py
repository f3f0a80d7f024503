"""One request and its answer, between the protocol and the application."""

import asyncio
import logging

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from services.retrieval.server import answers
from services.web.refused import RefusedError

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

        refusal: RefusedError | None = None
        try:
            await self._app(scope, receive, send_knowing_the_end)
        except asyncio.CancelledError:  # at the end of a drain
            refusal = answers.draining()
        except Exception:
            LOG.exception("a request failed")
            refusal = answers.failed()
        if cycle.response_complete or cycle.disconnected:
            return
        if cycle.response_started:
            cycle.transport.close()
            return
        if refusal is None:
            LOG.error("a request was not answered by the application")
        await refuse(refusal or answers.failed())(scope, receive, send_knowing_the_end)


def refuse(refusal: RefusedError) -> ASGI3Application:
    """An application that says the same to everybody."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers, body = answers.content(refusal)
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app
