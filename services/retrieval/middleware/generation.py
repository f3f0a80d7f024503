"""Every answer names the generation that it is of."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.retrieval import answering

HEADER = b"x-generation"


class Generation:
    """ASGI middleware: the generation that a request took, or the one that is served; nothing before one is loaded.

    Args:
        generation: the one to name; empty: none.
    """

    def __init__(self, app: ASGIApp, generation: Callable[[], str]) -> None:
        self._app = app
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering.begin()

        async def send_with_generation(message: Message) -> None:
            if message["type"] == "http.response.start" and (generation := self._generation()):
                message["headers"] = [*message.get("headers", ()), (HEADER, generation.encode())]
            await send(message)

        await self._app(scope, receive, send_with_generation)
