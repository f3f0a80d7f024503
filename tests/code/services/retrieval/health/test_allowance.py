"""Who comes while nothing is left goes without."""

import time

import pytest

from services.retrieval.health.allowance import MOST_SECONDS, SHARE, Allowance


def test_a_share_of_the_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    made = Allowance()
    assert made.is_left()
    made.spend(MOST_SECONDS + 1.0)
    assert not made.is_left()
    now += 1.0 / SHARE - 0.1
    assert not made.is_left()
    now += 0.2
    assert made.is_left()
    now += 1000.0 / SHARE  # no more is saved up than may be
    assert made.is_left()
    made.spend(MOST_SECONDS)
    assert not made.is_left()
