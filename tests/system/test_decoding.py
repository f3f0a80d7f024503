"""Decoders never outlive who started them, however that one ends, and whatever they do just then."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from benchmarks.common.bombs import PROGRESSIVE, jpeg
from tests.support.waiting import until

pytestmark = pytest.mark.system

COUNT = 4  # two for ordinary pictures, one for heavy ones, one in reserve
OWNER = """
import asyncio, psutil, sys
from services.retrieval.decoding.decoders import Decoders
from services.retrieval.settings import Limits
from taxohash.images import Preprocessing

async def main():
    decoders = Decoders(Limits(decode_seconds=60.0))
    await decoders.start()
    preprocessing = Preprocessing(32, 3, "pad", (0.0,) * 3, (1.0,) * 3)
    picture = open(sys.argv[1], "rb").read()
    while len(psutil.Process().children()) < 4 or not decoders._spares._ready.qsize():
        await asyncio.sleep(0.01)
    print("started", flush=True)
    while True:
        await decoders.read(picture, preprocessing)

asyncio.run(main())
"""


@contextmanager
def owner(picture: Path) -> Iterator[tuple[psutil.Process, list[psutil.Process]]]:
    """A process that has a slow picture decoded over and over, and its decoders."""
    command = [sys.executable, "-c", OWNER, str(picture)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            found = psutil.Process(process.pid)
            children = found.children()
            assert len(children) == COUNT
            until(lambda: any(map(busy, children)))
            yield found, children
        finally:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children():
                    child.kill()
            process.kill()


def busy(process: Any) -> bool:
    return bool(process.nice() == 19 and process.cpu_times().user > 0.5)


def gone(process: Any) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # of init's, which may reap at leisure
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("decoding") / "slow.jpg"
    file.write_bytes(jpeg(4000, 4000, PROGRESSIVE, scans=400))
    return file


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_nothing_is_left_of_decoders_whose_owner_ended(picture: Path, how: signal.Signals) -> None:
    with owner(picture) as (process, children):
        process.send_signal(how)
        until(lambda: all(map(gone, children)))


def test_nothing_is_left_of_frozen_decoders(picture: Path) -> None:
    with owner(picture) as (process, children):
        for child in children:
            child.suspend()
        process.kill()
        until(lambda: all(map(gone, children)))


def test_what_is_meant_for_the_owner_ends_no_decoder(picture: Path) -> None:
    """Ctrl-C, and whoever stops a server, reach a whole group; what is under way is to be finished."""
    with owner(picture) as (_, children):
        for child in children:
            child.send_signal(signal.SIGINT)
            child.send_signal(signal.SIGTERM)
        before = [child.cpu_times().user for child in children]
        until(lambda: sum(child.cpu_times().user for child in children) > sum(before) + 0.2)
        assert not any(map(gone, children))
