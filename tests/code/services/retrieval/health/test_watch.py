"""Canaries are asked each minute and no more than a core's hundredth, and nothing of a generation is held meanwhile."""

import gc
import logging
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.codestore import ItemLabels
from services.retrieval.health.health import Health
from services.retrieval.health.rounds import Distances
from services.retrieval.health.watch import Watch
from taxohash.codes import Codes, code_bytes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from tests.support.generations import BITS
from tests.support.watched import CANARIES

EVERY = 60.0


class Serves:
    """An item of every canary's first class at distance 0."""

    changes = 0

    def __init__(self, hasher: Hasher) -> None:
        self.health, self.asked = Health(hasher), 0
        self.work: Callable[[], None] = lambda: None  # while it looks

    def near(self, code: Codes, count: int) -> tuple[Distances, ItemLabels]:
        self.asked += 1
        self.work()
        return np.zeros(1, np.int32), ItemLabels.of(np.zeros(1, np.int32), np.ones(1, np.int64))

    def some_codes(self, most: int) -> Codes:
        return np.full((4, code_bytes(BITS)), 0xF0, np.uint8)


class Clocks:
    """Of the thread, which goes on where it works, and of the wall, which goes on where it rests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.worked = 1000.0, 0.0
        monkeypatch.setattr(time, "thread_time", lambda: self.worked)

    def work(self) -> None:
        """For so long a picture is encoded, or looked for."""
        self.worked += 0.003


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.fixture
def serves(watched: Hasher) -> Serves:
    return Serves(watched)


def run(watch: Watch, clocks: Clocks, until: float) -> float:
    """Go on until so much time has passed; the share of it that was worked."""
    begun, worked = clocks.now, clocks.worked
    while clocks.now < until:
        clocks.now += max(watch.step(), 1e-4)  # a step takes time too
    return (clocks.worked - worked) / (clocks.now - begun)


def test_each_minute_all_canaries_are_asked(serves: Serves, clocks: Clocks) -> None:
    watch = Watch(lambda: serves, EVERY, lambda: clocks.now)
    run(watch, clocks, clocks.now + 3.5 * EVERY)
    assert serves.asked == 4 * CANARIES
    assert serves.health.rounds.recall[0] == pytest.approx(4 / CANARIES + 2 / CANARIES)
    assert serves.health.entropy.value == pytest.approx(0, abs=1e-9)


def test_it_takes_no_more_than_a_hundredth_of_a_core(
    serves: Serves, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, rounds = Watch(lambda: serves, EVERY, lambda: clocks.now), serves.health.rounds

    def encode(picture: bytes) -> Codes:
        clocks.work()
        return serves.some_codes(1)[:1]

    monkeypatch.setattr(rounds, "_encode", encode)
    begun = clocks.now
    while not rounds.is_prepared:
        clocks.now += watch.step()
    assert 0 < clocks.worked / (clocks.now - begun) <= 0.1001  # once for each generation
    serves.work = clocks.work
    for seconds in (30.0, 3000.0):
        assert 0 < run(watch, clocks, clocks.now + seconds) <= 0.01001

    def work_long() -> None:
        clocks.worked += 3.0

    serves.work = work_long  # now a round takes longer than a minute
    asked = serves.asked
    assert 0 < run(watch, clocks, clocks.now + 30_000.0) <= 0.01001
    assert serves.asked > asked


def test_nothing_is_asked_where_it_should_never_be(serves: Serves, clocks: Clocks) -> None:
    run(Watch(lambda: serves, 0.0, lambda: clocks.now), clocks, clocks.now + 3 * EVERY)
    assert (serves.asked, serves.health.rounds.count) == (0, None)
    assert serves.health.entropy.value is not None


def test_nothing_may_be_served(clocks: Clocks) -> None:
    assert run(Watch(lambda: None, EVERY, lambda: clocks.now), clocks, clocks.now + EVERY) < 0.01


def test_a_generation_is_let_go_and_the_next_is_asked_at_once(watched: Hasher, clocks: Clocks) -> None:
    held = [Serves(watched)]
    watch = Watch(lambda: held[0], EVERY, lambda: clocks.now)
    run(watch, clocks, clocks.now + EVERY / 2)
    before = weakref.ref(held[0])
    held[0] = Serves(watched)
    gc.collect()
    assert before() is None
    run(watch, clocks, clocks.now + 5.0)
    assert held[0].asked == CANARIES


def test_canaries_that_cannot_be_read_are_told_once(
    serves: Serves, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(picture: bytes) -> Codes:
        raise TaxohashError("image 0 cannot be read")

    monkeypatch.setattr(serves.health.rounds, "_encode", broken)
    run(Watch(lambda: serves, EVERY, lambda: clocks.now), clocks, clocks.now + 3 * EVERY)
    assert serves.asked == 0
    (line,) = caplog.messages
    assert "image 0 cannot be read" in line


def test_what_should_not_happen_is_told_and_tried_again(
    serves: Serves, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(serves, "near", wrong)
    watch = Watch(lambda: serves, EVERY, lambda: clocks.now)
    run(watch, clocks, clocks.now + EVERY / 2)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    monkeypatch.undo()
    assert watch.step() > 0
