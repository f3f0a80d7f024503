"""The token bucket, against one that counts tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.access.rate import Bucket


class Counted:
    """The textbook's: tokens and when they were counted."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, float(burst), 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1.0 - 1e-6:
            return False
        self.tokens -= 1.0
        return True


@given(
    st.sampled_from([0.25, 0.5, 1.0, 4.0, 64.0]),
    st.integers(1, 20),
    st.lists(st.integers(0, 256).map(lambda steps: steps / 64), max_size=60),
)
def test_it_lets_through_what_the_textbooks_does(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, counted, now = Bucket(rate, burst), Counted(rate, burst), 0.0
    for pause in pauses:
        now += pause
        assert (bucket.take(now) == 0.0) == counted.take(now)


@given(st.floats(0.01, 1e4), st.integers(1, 50), st.floats(0, 1e6))
def test_after_the_wait_there_is_a_token(rate: float, burst: int, now: float) -> None:
    bucket = Bucket(rate, burst)
    for _ in range(burst):
        assert bucket.take(now) == 0.0
    wait = bucket.take(now)
    assert wait == pytest.approx(1 / rate, rel=1e-3, abs=1e-6)
    assert bucket.take(now + wait) == 0.0


@given(
    st.sampled_from([0.25, 0.5, 1.0, 4.0, 64.0]),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 256).map(lambda steps: steps / 64), st.integers(0, 63)), max_size=60),
)
def test_what_is_owed_comes_back_before_there_is_a_token(
    rate: float, burst: int, batches: list[tuple[float, int]]
) -> None:
    bucket, counted, now = Bucket(rate, burst), Counted(rate, burst), 0.0
    for pause, more in batches:
        now += pause
        let_through = bucket.take(now) == 0.0
        assert let_through == counted.take(now)
        if let_through:
            bucket.owe(more)
            counted.tokens -= more
