"""Who is called how often and in which order; never how long it took."""

import time

import pytest

from benchmarks.common.timing import interleaved, milliseconds, shortest, timed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of seconds that a test sets; the CPU's runs at half its speed."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[0] / 2)
    return now


def test_the_result_and_both_times(clock: list[float]) -> None:
    def work() -> str:
        clock[0] += 4
        return "done"

    assert timed(work) == ("done", 4.0, 2.0)


def test_the_first_call_warms_up(clock: list[float]) -> None:
    spent = iter([1.0, 5.0, 3.0, 4.0])  # the first, quickest, does not count

    def work() -> None:
        clock[0] += next(spent)

    assert shortest([work] * 3) == 3.0


def test_ways_take_turns_and_the_first_round_does_not_count() -> None:
    called: list[tuple[str, int]] = []

    def way(name: str, times: int) -> list[float]:
        called.append((name, times))
        return [float(times)] * times

    found = interleaved({"a": lambda turn: way("a", turn), "b": lambda turn: way("b", 1)}, 2)
    assert called == [("a", 0), ("b", 1), ("a", 1), ("b", 1), ("a", 2), ("b", 1)]
    assert found == {"a": [1.0, 2.0, 2.0], "b": [1.0, 1.0]}
    assert interleaved({"a": lambda turn: [float(turn)]}, 2, warm_up=0) == {"a": [0.0, 1.0]}


def test_a_row_tells_least_and_median() -> None:
    assert milliseconds([0.004, 0.001, 0.002]) == {"min_ms": 1.0, "median_ms": 2.0}
