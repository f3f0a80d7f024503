"""Bytes to a socket and an answer back, as cheaply as Python can: the attacker shares its cores with what it attacks."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

import uvloop

T = TypeVar("T")
Address = tuple[str, int]
Trouble = Literal["", "closed", "refused", "late"]
_NO_BODY = (204, 304)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        seconds: from the moment at which the request was due until the answer was there, or it was given up.
        trouble: why there is none: the connection was closed, or refused, or the deadline is over.
        headers: by their names in lower case.
    """

    seconds: float = 0.0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: Trouble = ""

    @property
    def outcome(self) -> str:
        """The status, or the trouble: what answers are counted by."""
        return self.trouble or str(self.status)

    @property
    def last(self) -> bool:
        """Whether the server closes the connection after it."""
        return bool(self.trouble) or self.headers.get("connection", "").lower() == "close"


_OPEN: "set[Wire]" = set()  # of the loop that runs


class Wire(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self.used = False
        self._received = bytearray()
        self._bodiless = False
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, address: Address, deadline: float = 10.0) -> "Wire":
        """Connect.

        Raises:
            OSError: refused, or not within `deadline` seconds.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(deadline):
            _, wire = await loop.create_connection(cls, *address)
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        _OPEN.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._look()

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        _OPEN.discard(self)
        self._look()

    async def ask(self, raw: bytes, deadline: float, *, bodiless: bool = False) -> Answer:
        """Send, and wait for an answer until the deadline, in seconds from now."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._bodiless = bodiless
        self.send(raw)
        self._look()
        try:
            async with asyncio.timeout(deadline):
                return await self._waiting
        except TimeoutError:
            return Answer(trouble="late")
        finally:
            self._waiting, self.used = None, True

    def send(self, raw: bytes) -> None:
        """Send only."""
        if self._transport is not None and not self.closed:
            self._transport.write(raw)

    def end(self) -> None:
        """Send nothing more, and go on listening."""
        if self._transport is not None and not self.closed:
            with suppress(OSError, RuntimeError):  # it has just been closed by the other side
                self._transport.write_eof()

    def close(self) -> None:
        """Leave at once."""
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        if self._waiting is None or self._waiting.done():
            return
        found = parsed(self._received, ended=self.closed, bodiless=self._bodiless)
        if found is not None:
            answer, length = found
            del self._received[:length]
            self._waiting.set_result(answer)
        elif self.closed:
            self._waiting.set_result(Answer(trouble="closed"))


def parsed(received: bytearray, *, ended: bool, bodiless: bool = False) -> tuple[Answer, int] | None:
    """The first answer in some bytes, and its length; None while it is not whole. What informs (1xx) is passed over."""
    start = 0
    while True:
        end = received.find(b"\r\n\r\n", start)
        if end < 0:
            return None
        first, *lines = received[start:end].decode("latin-1").split("\r\n")
        start = end + 4
        status = int(first.split(" ")[1]) if first.startswith("HTTP/1.") else 0
        if status == 0 or status >= 200:
            break
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if bodiless or status in _NO_BODY:
        return Answer(status=status, headers=headers), start
    if "content-length" in headers:
        stop = start + int(headers["content-length"])
        if len(received) < stop:
            return None
        return Answer(status=status, headers=headers, body=bytes(received[start:stop])), stop
    if headers.get("transfer-encoding") == "chunked":
        body = bytearray()
        while True:
            line = received.find(b"\r\n", start)
            if line < 0:
                return None
            size = int(received[start:line], 16)
            if len(received) < line + size + 4:
                return None
            body += received[line + 2 : line + 2 + size]
            start = line + size + 4
            if size == 0:
                return Answer(status=status, headers=headers, body=bytes(body)), start
    if not ended:
        return None
    return Answer(status=status, headers=headers, body=bytes(received[start:])), len(received)


class Client:
    """Connections to one address, kept and used again, or each for one request."""

    def __init__(self, address: Address, deadline: float = 60.0, *, keep: bool = True) -> None:
        self._address = address
        self._deadline = deadline
        self._keep = keep
        self._idle: list[Wire] = []

    async def ask(self, raw: bytes, due: float | None = None) -> Answer:
        """The answer to a request, which was due at a time of time.monotonic: a late start counts as waiting."""
        due = time.monotonic() if due is None else due
        wire = self._kept()
        answer = await self._by(wire, raw)
        if answer.trouble == "closed" and wire is not None:  # just when it was to be used again
            answer = await self._by(None, raw)
        return Answer(time.monotonic() - due, answer.status, answer.headers, answer.body, answer.trouble)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Wire | None:
        while self._idle:
            wire = self._idle.pop()
            if not wire.closed:
                return wire
        return None

    async def _by(self, wire: Wire | None, raw: bytes) -> Answer:
        try:
            wire = wire or await Wire.open(self._address, self._deadline)
        except (OSError, TimeoutError):
            return Answer(trouble="refused")
        answer = await wire.ask(raw, self._deadline)
        if answer.last or wire.closed or not self._keep:
            wire.close()
        else:
            self._idle.append(wire)
        return answer


def address_of(url: str) -> Address:
    """Host and port of http://HOST:PORT."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def get(path: str) -> bytes:
    """A request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def search(picture: bytes, k: int = 10) -> bytes:
    """A request for the items nearest to a picture."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="k"\r\n\r\n%d\r\n'
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n\r\n%s\r\n--b--\r\n'
    ) % (k, picture)
    return (
        b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: %d\r\n\r\n%s"
    ) % (len(body), body)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to its end what waits for many sockets; none of them is open afterwards."""

    async def closing() -> T:
        try:
            return await work()
        finally:
            while _OPEN:
                for wire in list(_OPEN):
                    wire.close()
                await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(closing())
