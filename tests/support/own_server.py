"""Our own server in a thread of the test, and raw connections to it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from services.retrieval.server.connections import Stage
from services.retrieval.server.serving import Server
from services.retrieval.settings import Door
from services.web.listening import listen

SECONDS = 30.0  # a test that waits longer has failed
GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
GENERATION = "5e4bed"  # that the application serves, as the server knows


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    address: tuple[str, int]
    server: Server
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    def end(self) -> None:
        """Let it drain."""
        self.loop.call_soon_threadsafe(self.server.end)

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(self.address, timeout=SECONDS)

    def ask(self, *pieces: bytes) -> bytes:
        """All that it answers on one connection before it closes that."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return rest(connection)

    def stages(self) -> dict[str, int]:
        """How many connections are in each stage, of those in which any is."""
        return {stage.name: n for stage in Stage if (n := self.server.connections.count(stage))}


@contextmanager
def running(app: ASGIApp, door: Door) -> Iterator[Running]:
    """Serve an application until the block is left."""
    listener = listen("127.0.0.1", 0)
    address: tuple[str, int] = listener.getsockname()
    begun = threading.Event()
    made: list[tuple[Server, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        server = Server(app, door, lambda: GENERATION)
        made.append((server, asyncio.get_running_loop()))
        await server.serve(listener, begun.set)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert begun.wait(SECONDS), "the server does not start"
    here = Running(address, *made[0], thread)
    try:
        yield here
    finally:
        here.end()
        thread.join(SECONDS)
        assert not thread.is_alive(), "the server does not end"


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length, whole."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, f"closed after {received!r}"
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, "closed within a body"
        body += piece
    assert len(body) == length
    return head + b"\r\n\r\n" + body
