"""One request and its answer, between the protocol and the application."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from services.retrieval.middleware.identify import request_id_for
from services.retrieval.server import answers
from services.web.refused import RefusedError

LOG = logging.getLogger("taxohash.server")


class Exchange:
    """ASGI application that answers whatever becomes of the one inside, and closes where a request was not read whole.

    Args:
        generation: the one that is served; empty: none.
    """

    def __init__(
        self, cycle: RequestResponseCycle, app: ASGI3Application, generation: Callable[[], str]
    ) -> None:
        self._cycle = cycle
        self._app = app
        self._generation = generation

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
        await refuse(refusal or answers.failed(), self._generation())(scope, receive, send_knowing_the_end)


def refuse(refusal: RefusedError, generation: str) -> ASGI3Application:
    """An application that says the same to everybody.

    Args:
        generation: the one that is served; empty: none.
    """

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers, body = answers.content(refusal, generation, _id_of(scope))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


def _id_of(scope: Scope) -> str:
    """The id that the application has given a request, else the client's own, else a new one."""
    given = cast(dict[str, Any], scope).get("state", {}).get("request_id")
    return given or request_id_for(cast(dict[str, Any], scope))
