"""Connections of the trigger, held by strangers: real sockets, an application that answers when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from services.trigger import connections
from services.trigger.connections import YieldingProtocol

MOST = 8
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: here\r\n"
HALF_A_BODY = b"POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf"


class Trigger:
    """A server whose connections are the trigger's. A request of /late is answered once `go` is set, one of /body after its body."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.state = ServerState()
        self.port = 0
        self.streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await self.go.wait()
        if scope["path"] == "/body":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def connect(self, sent: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        self.streams.append((reader, writer))
        return reader

    async def is_answered(self) -> bool:
        """Whether a newcomer is."""
        return await status(await self.connect(HALF_A_HEAD + b"\r\n")) == 200


@asynccontextmanager
async def serving() -> AsyncIterator[Trigger]:
    made = Trigger()
    config: Any = Config(
        made.answer, http=YieldingProtocol, interface="asgi3", log_config=None, limit_concurrency=MOST + 1
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: YieldingProtocol(config, made.state, {}), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        for _, writer in made.streams:
            writer.transport.abort()
        made.go.set()
        server.close()
        await asyncio.gather(*made.state.tasks, return_exceptions=True)


async def status(reader: asyncio.StreamReader) -> int:
    return int((await asyncio.wait_for(reader.readline(), 20)).split()[1])


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", MOST)


@pytest.mark.parametrize("half", [HALF_A_HEAD, HALF_A_BODY, b""])
def test_half_requests_keep_nobody_out(half: bytes) -> None:
    async def story() -> None:
        async with serving() as trigger:
            for _ in range(5 * MOST):
                await trigger.connect(half)
            assert await trigger.is_answered()
            assert len(trigger.state.connections) <= MOST

    asyncio.run(story())


def test_who_waits_for_an_answer_gets_it() -> None:
    async def story() -> None:
        async with serving() as trigger:
            late = await trigger.connect(b"GET /late HTTP/1.1\r\nHost: here\r\n\r\n")
            for _ in range(5 * MOST):
                await trigger.connect(HALF_A_HEAD)
            assert await trigger.is_answered()
            trigger.go.set()
            assert await status(late) == 200

    asyncio.run(story())


def test_half_a_head_makes_way_before_half_a_body() -> None:
    async def story() -> None:
        async with serving() as trigger:
            body = await trigger.connect(HALF_A_BODY)
            for _ in range(5 * MOST):
                await trigger.connect(HALF_A_HEAD)
            assert await trigger.is_answered()
            trigger.streams[0][1].write(b"whole")
            assert await status(body) == 200

    asyncio.run(story())


def test_when_all_are_being_answered_a_newcomer_is_told() -> None:
    async def story() -> None:
        async with serving() as trigger:
            late = [await trigger.connect(b"GET /late HTTP/1.1\r\nHost: here\r\n\r\n") for _ in range(MOST)]
            assert await status(await trigger.connect(HALF_A_HEAD + b"\r\n")) == 503
            trigger.go.set()
            assert [await status(reader) for reader in late] == [200] * MOST

    asyncio.run(story())


def test_a_head_without_end_is_cut() -> None:
    async def story() -> None:
        async with serving() as trigger:
            reader = await trigger.connect(HALF_A_HEAD + b"x: " + b"a" * 1_000_000)
            assert await status(reader) == 400

    asyncio.run(story())
