"""The life of a worker's server: its application starts, connections are served, and at the end drained."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState

from services.retrieval.server.accepting import Acceptor
from services.retrieval.server.connections import Connections, Stage, bound
from services.retrieval.server.protocol import GuardedProtocol, Shared
from services.retrieval.settings import Door

LOG = logging.getLogger("taxohash.server")
_TICK_SECONDS = 0.25  # between looks at whose time is over
_ENDING_SECONDS = 5.0  # for a client to read its last answer
_STALLED_SECONDS = 20.0  # for a client to read what fills our buffer
_GRACE_SECONDS = 1.0  # for requests that are just coming on kept connections, when the server ends
_CLOSING_SECONDS = 2.0  # for connections, and again for the application, after the last answer


class Server:
    """Serves one application on one socket.

    Attributes:
        connections: all that there are.
    """

    def __init__(self, app: ASGIApp, door: Door, generation: Callable[[], str] = lambda: "") -> None:
        """Prepare to serve.

        Args:
            generation: the one that the application serves, which answers without it name too; empty: none.
        """
        self._config = Config(
            app, http=GuardedProtocol, ws="none", lifespan="on", interface="asgi3", log_config=None,
            access_log=False, server_header=False, proxy_headers=False,
        )  # fmt: skip
        self._config.load()
        self._lifespan = LifespanOn(self._config)
        self._door = door
        self.connections = Connections(
            bound(door.connections),
            {
                Stage.HEADERS: door.header_seconds,
                Stage.IDLE: door.keepalive_seconds,
                Stage.ENDING: _ENDING_SECONDS,
                Stage.STALLED: _STALLED_SECONDS,
            },
        )
        self._generation = generation
        self._shared = Shared(self._config, ServerState(), self.connections, door.header_seconds, generation)
        self._told_to_end = asyncio.Event()

    def end(self) -> None:
        """Let `serve` drain and return."""
        self._told_to_end.set()

    async def serve(self, listener: socket.socket, started: Callable[[], None]) -> None:
        """Serve until told to end.

        Args:
            listener: no other process should take connections from it; it is closed.
            started: called when connections are taken.

        Raises:
            SystemExit: the application does not start; it has said why.
        """
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            raise SystemExit(1)
        acceptor = Acceptor(
            listener,
            self.connections,
            lambda: GuardedProtocol(self._shared, self._lifespan.state),
            self._generation,
        )
        ticking = asyncio.create_task(self._tick())
        started()
        await self._told_to_end.wait()
        self._shared.ending = True
        acceptor.stop()
        await self._drain()
        ticking.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._lifespan.shutdown()

    async def _tick(self) -> None:
        while True:
            self._shared.state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
            self.connections.end_late()
            self.connections.measure()
            await asyncio.sleep(_TICK_SECONDS)

    async def _drain(self) -> None:
        """Let requests under way be answered, and for a moment those that come; refuse others; end those that take too long."""
        tasks, begun = self._shared.state.tasks, time.monotonic()
        under_way = len(tasks)
        for connection in self._guarded():
            connection.shutdown()

        def seconds() -> float:
            return time.monotonic() - begun

        while seconds() < self._door.drain_seconds and (
            tasks or (seconds() < _GRACE_SECONDS and self.connections.count(Stage.HEADERS, Stage.IDLE))
        ):
            await asyncio.sleep(0.02)
            self._shared.draining = seconds() >= _GRACE_SECONDS
        self._shared.draining = True
        late = list(tasks)
        for task in late:
            task.cancel()
        for connection in self._guarded():
            connection.shut()
        begun = time.monotonic()
        while len(self.connections) and seconds() < _CLOSING_SECONDS:
            await asyncio.sleep(0.02)
            for connection in self._guarded():
                connection.shut()
        LOG.info("drained: %d requests were under way, %d of them took too long", under_way, len(late))

    def _guarded(self) -> list[GuardedProtocol]:
        return [connection for connection in self.connections if isinstance(connection, GuardedProtocol)]
