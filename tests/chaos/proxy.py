"""A proxy between clients and a server that is unkind to the bytes."""

import random
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

Unkind = Literal["", "loses", "delays", "halves", "garbles"]

_REQUEST = re.compile(rb"\*\d+\r\n\$\d+\r\n(FCALL|HELLO|PING)")
_CHUNK = 1 << 16


class Proxy:
    """Passes bytes between its own port and another one, which may change. A context manager.

    While it is unkind it, by chance, of a chunk of bytes:
        loses     an answer: the server has applied the command, the client's connection ends
        delays    it up to half a second
        halves    it: passes on a part, and the connection ends
        garbles   the beginning of a request, or of an answer, by bytes that begin none. What is within is left alone, as a server
                  could not know a changed value from a true one

    Attributes:
        unkind: what it does now.
        done: how often it did something.
    """

    def __init__(self, target: int, seed: int) -> None:
        self.target = target
        self.unkind: Unkind = ""
        self.done = 0
        self._chance = random.Random(f"proxy {seed}")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where clients connect."""
        port: int = self._listening.getsockname()[1]
        return port

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            target = self.target
            try:
                server = socket.create_connection(("127.0.0.1", target), timeout=2.0)
            except OSError:
                return
            with server:
                server.settimeout(None)
                self._open |= {client, server}
                if self.target != target:  # it changed meanwhile, and `cut` may not have seen this connection
                    return
                back = threading.Thread(target=self._pump, args=(server, client, self._answer), daemon=True)
                back.start()
                self._pump(client, server, self._request)
                back.join()
                self._open -= {client, server}

    def _pump(
        self, source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes | None]
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                changed = change(data)
                target.sendall(data if changed is None else changed)
                if changed is not None and self.unkind != "garbles":
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _request(self, data: bytes) -> bytes | None:
        """What goes on instead of the data; None where they go on as they are."""
        if self.unkind == "garbles" and _REQUEST.match(data) and self._happens():
            return b"\xfe\x00!" + data[3:]
        return self._either_way(data)

    def _answer(self, data: bytes) -> bytes | None:
        if self.unkind == "loses" and self._happens():
            return b""
        if self.unkind == "garbles" and self._happens():
            return b"\xfe\x00!" + data[3:]
        return self._either_way(data)

    def _either_way(self, data: bytes) -> bytes | None:
        if self.unkind == "delays" and self._happens():
            time.sleep(self._chance.uniform(0.0, 0.5))
        if self.unkind == "halves" and self._happens():
            return data[: self._chance.randrange(len(data))]
        return None

    def _happens(self) -> bool:
        happens = self._chance.random() < 0.1
        self.done += happens
        return happens
