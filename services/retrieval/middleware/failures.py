"""An exception that nobody foresaw becomes an answer here, and a line in the log; the server never sees it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.retrieval import logs
from services.retrieval.asked import asked_of
from services.web.problems import BUG, answer_to


class Failures:
    """ASGI middleware around all that may fail, Starlette's own middleware included, which raises again what it answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = whole = False

        async def send_noting_how_far(message: Message) -> None:
            nonlocal started, whole
            started = True
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_noting_how_far)
        except Exception as error:
            asked = asked_of(scope)
            logs.failed(asked, error)
            if not started:
                await answer_to(BUG, asked.id)(scope, receive, send)
            elif not whole:  # the server has to cut it off; what it logs of this says nothing of the request
                raise RuntimeError(f"answer to request {asked.id} broke off") from None
