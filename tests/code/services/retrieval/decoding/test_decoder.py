"""An owner trusts nothing that a decoder says: one that is out of step is ended."""

import asyncio
import socket
import subprocess
import sys

import pytest

from services.retrieval.decoding.decoder import Decoder, DecoderEndedError
from services.retrieval.decoding.wire import ANSWER, BOUNDS, Bounds, Kind

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_bounds_survive_the_wire() -> None:
    bounds = Bounds(1 << 40, 0.25, 19, 16_000_000)
    assert len(bounds.pack()) == BOUNDS.size
    assert Bounds.unpack(bounds.pack()) == bounds


@pytest.mark.parametrize(
    "said",
    [
        ANSWER.pack(2, Kind.PIXELS, 3) + b"abc",  # of another request
        ANSWER.pack(1, Kind.PIXELS, 1 << 30),  # more than was asked for
        ANSWER.pack(1, 77, 0),  # of no kind
        ANSWER.pack(1, Kind.PIXELS, 3) + b"ab",  # cut off
        b"",
    ],
)
def test_one_that_is_out_of_step_is_ended(said: bytes) -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        process = subprocess.Popen(SLEEP)
        decoder = Decoder(process, ours)
        with theirs:
            theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(DecoderEndedError):
                await decoder.ask(b"picture", b"{}", 60.0, 3)
        assert process.returncode is not None
        assert not decoder.alive

    asyncio.run(work())


def test_one_that_takes_too_long_is_ended() -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        process = subprocess.Popen(SLEEP)
        with theirs, pytest.raises(DecoderEndedError) as ended:
            await Decoder(process, ours).ask(bytes(1 << 20), b"{}", 0.05, 3)  # nor does it take the picture
        assert ended.value.reason == "time"
        assert process.returncode is not None

    asyncio.run(work())
