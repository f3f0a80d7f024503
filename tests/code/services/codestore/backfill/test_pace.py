"""The pace of a backfill, by a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from services.codestore.backfill.pace import TOGETHER, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@given(
    st.floats(0.01, 1000.0),
    st.lists(st.tuples(st.integers(1, 64), st.floats(0.0, 5.0)), min_size=2, max_size=50),
)
def test_no_more_than_the_rate_however_long_the_work_takes(
    rate: float, work: list[tuple[int, float]]
) -> None:
    clock = Clock()
    pace = Pace(rate, clock, clock.sleep)
    begun: list[tuple[float, int]] = []
    for pictures, seconds in work:
        pace.wait(pictures)
        begun.append((clock.now, pictures))
        clock.now += seconds
    for first in range(len(begun)):
        taken = 0
        for at, pictures in begun[first:]:
            # What was taken before this moment was paid for by then.
            assert taken <= rate * (at - begun[first][0]) + 1e-6
            taken += pictures


@given(st.floats(0.01, 1000.0))
def test_work_that_is_quick_is_done_at_the_rate(rate: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock, clock.sleep)
    for _ in range(10):
        pace.wait(pace.together)
        pace.count(pace.together)
    assert pace.speed is not None
    assert abs(pace.speed / rate - 1) < 0.2
    assert 1 <= pace.together <= max(1, min(TOGETHER, rate))


def test_without_a_rate_nothing_waits() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    for _ in range(5):
        pace.wait(1000)
    assert clock.now == 100.0
    assert pace.together == TOGETHER
    assert pace.speed is None


def test_speed_is_of_late_and_not_of_when_nothing_was_to_be_done() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    for _ in range(100):
        clock.now += 1.0
        pace.count(50)
    for _ in range(100):
        clock.now += 1.0
        pace.count(10)
    assert pace.speed == 10.0
    clock.now += 3600.0
    pace.forget()
    clock.now += 2.0
    pace.count(10)
    assert pace.speed == 5.0
