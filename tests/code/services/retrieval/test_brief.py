"""Searches are done where they are asked for as long as they are brief."""

import time

import pytest

from services.retrieval.brief import _EVERY, Brief


class Clock:
    """Time of the CPU that passes as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "thread_time", made)
    return made


def spend(brief: Brief, clock: Clock, seconds: float) -> None:
    def work() -> str:
        clock.now += seconds
        return "done"

    assert brief.done(work) == "done"


def test_nothing_is_brief_before_one_was_seen_to_be(clock: Clock) -> None:
    brief = Brief()
    assert not brief.fits
    spend(brief, clock, 0.0002)
    assert brief.fits


def test_one_that_takes_long_sends_the_next_to_a_thread_until_they_are_brief_again(clock: Clock) -> None:
    brief = Brief()
    spend(brief, clock, 0.0002)
    for _ in range(_EVERY):  # which are not timed
        spend(brief, clock, 0.02)
        assert brief.fits
    spend(brief, clock, 0.02)
    assert not brief.fits
    for _ in range(20):
        spend(brief, clock, 0.0002)
    assert brief.fits


def test_one_that_fails_takes_no_part(clock: Clock) -> None:
    brief = Brief()
    with pytest.raises(ZeroDivisionError):
        brief.done(lambda: 1 // 0)
    assert not brief.fits
