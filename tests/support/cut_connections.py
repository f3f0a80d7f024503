"""A proxy whose connections are cut after some bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_connections(port: int, sent: int = 1 << 60, received: int = 1 << 60) -> Iterator[int]:
    """Listen on a port, forward to another one, and cut each connection after this many bytes in one direction."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, port, sent, received), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, port: int, sent: int, received: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, target, left in ((client, server, sent), (server, client, received)):
                threading.Thread(target=_forward, args=(source, target, left), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket, left: int) -> None:
    with suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 1 << 16))):
            target.sendall(data)
            left -= len(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
