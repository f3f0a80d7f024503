"""The backfill by real processes: killed, stopped and told to end at any moment, nothing is lost, doubled or mixed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from services.codestore import CodeStore, EmbeddedServer, Item
from services.codestore.backfill.status import BackfillStatus, status
from services.codestore.pictures import Pictures
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.backfills import COLLECTION, hashers_in, ref_of
from tests.support.generations import TAXONOMY, pictures
from tests.support.waiting import until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
COUNT = 400
PICTURES = pictures(COUNT)


class Command:
    """`taxohash pipeline backfill`, running."""

    def __init__(self, folder: Path, name: str, variables: dict[str, str], *options: str) -> None:
        self._log = folder / f"{name}.log"
        command = [sys.executable, "-m", "pipelines.cli.main", "backfill", *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def says(self, text: str, times: int = 1) -> None:
        until(lambda: self.process.poll() is not None or self.log.count(text) >= times, 120)
        assert self.log.count(text) >= times, self.log


@contextmanager
def running(folder: Path, name: str, variables: dict[str, str], *options: str) -> Iterator[Command]:
    command = Command(folder, name, variables, *options)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()


def test_of_several_one_works_whatever_becomes_of_the_others(tmp_path: Path) -> None:
    hasher: Hasher = hashers_in(tmp_path / "generations")[0]
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(tmp_path / "valkey"))
        store = stack.enter_context(CodeStore.connect(server.url))
        variables = os.environ | {
            "TAXOHASH_REDIS_URL": server.url,
            "TAXOHASH_GENERATIONS": str(tmp_path / "generations"),
            "TAXOHASH_PICTURES": str(tmp_path / "pictures"),
        }
        digests = Pictures.open(tmp_path / "pictures").put_many(PICTURES)
        generation = hasher.generation.id
        store.create(COLLECTION, TAXONOMY, segments=2)
        store.begin(COLLECTION, ref_of(hasher))
        store.seal(COLLECTION, generation)

        def put(first: int, last: int) -> None:
            items = [Item(f"item {i}", picture=digests[i]) for i in range(first, last)]
            store.upsert(COLLECTION, items)

        def coded(count: int) -> None:
            until(lambda: store.count(COLLECTION, generation) >= count, 120)

        def seen() -> BackfillStatus:
            return status(store, COLLECTION)

        put(0, 200)
        first = stack.enter_context(running(tmp_path, "first", variables, "--follow", "--rate", "20"))
        coded(20)
        assert seen().generations[0].seconds_left
        second = stack.enter_context(running(tmp_path, "second", variables, "--follow"))
        second.says("waiting until it ends")
        one = seen().follower
        assert one is not None
        assert seen().generations[0].runner == one

        first.process.send_signal(signal.SIGSTOP)  # held up in the middle of its work
        coded(200)
        assert seen().follower not in (None, one)
        first.process.send_signal(signal.SIGCONT)
        first.says("another runner since this one was held up")

        second.process.terminate()  # lets go at once
        assert second.process.wait(60) == 0
        first.says("following collection", times=2)
        put(200, COUNT)
        coded(220)
        first.process.kill()  # what it held is free when its lease ends
        with running(tmp_path, "once", variables) as once:
            assert once.process.wait(120) == 0, once.log
            assert "is encoded by" in once.log
            assert " 0 quarantined, 0 lacking" in once.log

        found = store.snapshot(COLLECTION, generation)
        wanted = hasher.encode(decode(picture) for picture in PICTURES)
        rows = [int(name.split()[1]) for name in found.ids]
        assert sorted(rows) == list(range(COUNT))
        assert np.array_equal(found.codes, wanted[rows])
        assert store.held(COLLECTION).keys() <= {"*"}
