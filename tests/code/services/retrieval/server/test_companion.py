"""A process that is kept beside the worker."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.retrieval.server.companion import Companion
from tests.support.waiting import until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sleeping(tmp_path: Path, clock: Clock) -> Iterator[Companion]:
    made = Companion(("sleep", "600"), os.environ, tmp_path, clock)
    yield made
    made.end()


def killed(companion: Companion) -> None:
    (pid,) = companion.pids
    os.kill(pid, signal.SIGKILL)
    ended(companion)


def ended(companion: Companion) -> None:
    """Return when it has noticed that its process has ended."""

    def looked() -> bool:
        companion.look()
        return not companion.pids

    until(looked)


def test_it_is_started_again_ever_later_where_it_does_not_live(
    sleeping: Companion, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    sleeping.look()
    assert not sleeping.pids
    sleeping.start()
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        killed(sleeping)
        assert not sleeping.pids
        assert capfd.readouterr().err == f"serve: the backfill ended by signal 9: again in {wait} s\n"
        clock.now += wait - 0.5
        sleeping.look()
        assert not sleeping.pids
        clock.now += 0.5
        sleeping.look()
        assert sleeping.pids
    clock.now += 31
    killed(sleeping)
    assert "again in 1 s" in capfd.readouterr().err


def test_it_is_ended_and_stays_so(sleeping: Companion, clock: Clock) -> None:
    sleeping.start()
    (pid,) = sleeping.pids
    sleeping.end()
    clock.now += 100
    sleeping.look()
    assert not sleeping.pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_cannot_be_is_not_started_again(
    tmp_path: Path, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    companion = Companion((sys.executable, "-c", "raise SystemExit(2)"), os.environ, tmp_path, clock)
    companion.start()
    ended(companion)
    clock.now += 1000
    companion.look()
    assert not companion.pids
    assert capfd.readouterr().err == ""
