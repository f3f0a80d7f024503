"""One decoder, as its owner sees it: started, asked, ended."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

from services.retrieval.decoding.wire import ANSWER, REQUEST, Bounds, Kind
from taxohash.errors import TaxohashError

START_SECONDS = 30.0  # a machine may be busy; it takes a quarter of one
_END_SECONDS = 5.0
_BUFFER = 1 << 20  # bytes on their way, where the system allows as many
_SENTENCE = 4096  # bytes of an answer that is no picture
# Of the environment, what Python may need to start at all; no address and no secret is among it.
_KEPT = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # a thread more is a stack more
    "MALLOC_ARENA_MAX": "1",
    # Fixed, as glibc would raise them with the largest block freed, and then keep such blocks for itself.
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 20),
}


class DecoderEndedError(Exception):
    """A decoder is no more, and a picture has no answer.

    Attributes:
        reason: `time`, it took too long; `killed`, by somebody else; `crashed`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Decoder:
    """A process that decodes one picture after the other. Not for several callers at once."""

    def __init__(self, process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._number = 0

    @classmethod
    async def start(cls) -> "Decoder":
        """Start one and wait until it is ready. On the thread of the event loop, with whose end it would end too.

        Raises:
            TaxohashError: it does not start.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            for end in (ours, theirs):
                for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, buffer, _BUFFER)
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "services.retrieval.decoding.process"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment(),
            )
        decoder = cls(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                _, kind, _ = ANSWER.unpack(await decoder._receive(ANSWER.size))
                assert kind == Kind.READY
        except (TimeoutError, OSError) as error:
            await decoder.end()
            raise TaxohashError(
                f"no process for decoding pictures started ({error or 'too slow'}): its standard error says why"
            ) from None
        except BaseException:
            await decoder.end()
            raise
        return decoder

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def confine(self, bounds: Bounds) -> None:
        """Give it its bounds, once and before all pictures."""
        await asyncio.get_running_loop().sock_sendall(self._channel, bounds.pack())

    async def ask(
        self, picture: bytes, preprocessing: bytes, seconds: float, most: int
    ) -> tuple[Kind, bytearray]:
        """Its answer to a picture.

        Args:
            preprocessing: as JSON.
            seconds: in which it must have come.
            most: bytes of pixels.

        Raises:
            DecoderEndedError: there is none, and the decoder has been ended.
        """
        self._number += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                head = REQUEST.pack(self._number, len(preprocessing), len(picture))
                await loop.sock_sendall(self._channel, head + preprocessing)
                await loop.sock_sendall(self._channel, picture)
                number, kind, length = ANSWER.unpack(await self._receive(ANSWER.size))
                if number != self._number or length > max(most, _SENTENCE):
                    raise ConnectionError("out of step")
                return Kind(kind), await self._receive(length)
        except (TimeoutError, OSError, ValueError) as error:
            late = type(error) is TimeoutError
            status = await self.end()
            raise DecoderEndedError("time" if late else _reason(status)) from None

    async def end(self) -> int | None:
        """End it at once, whatever it does; its exit status, as `subprocess` tells it, if it does end."""
        # One that has ended by itself is given the moment until it can be told how.
        self._channel.close()
        if self._process.poll() is None:
            await asyncio.sleep(0)
            self._process.kill()
        for _ in range(round(_END_SECONDS / 0.002)):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.002)
        return self._process.returncode

    async def _receive(self, size: int) -> bytearray:
        loop = asyncio.get_running_loop()
        received = bytearray(size)
        with memoryview(received) as view:
            at = 0
            while at < size:
                count = await loop.sock_recv_into(self._channel, view[at:])
                if not count:
                    raise ConnectionError("it ended")
                at += count
        return received


def environment() -> dict[str, str]:
    """What a decoder is told: where Python's modules are, and nothing that is secret."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    return {**kept, "PYTHONPATH": places, **_ENVIRONMENT}


def _reason(status: int | None) -> str:
    return {-signal.SIGPROF: "time", -signal.SIGKILL: "killed"}.get(status or 0, "crashed")
