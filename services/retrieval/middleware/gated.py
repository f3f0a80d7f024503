"""Nobody gets further who is not let in."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.retrieval.access import Gate
from services.retrieval.access.gate import NotLetInError
from services.retrieval.asked import asked_of
from services.retrieval.problems import nowhere
from services.web.problems import answer_to
from services.web.refused import RefusedError


class Gated:
    """ASGI middleware: decides by the table of endpoints, and reads nothing of the body.

    What is not in the table is answered here too: no route is ever tried for it.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = asked_of(scope)
        try:
            asked.caller = self._gate.admit(scope, asked.access)
            if asked.access is None:
                raise nowhere(scope, asked.allowed)
        except RefusedError as error:
            if isinstance(error, NotLetInError):
                asked.why = error.why
                asked.caller = asked.caller._replace(
                    name=error.key or asked.caller.name, keyed=bool(error.key)
                )
            await answer_to(error, asked.id)(scope, receive, send)
            return
        await self._app(scope, receive, send)
