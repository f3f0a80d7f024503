"""Times, in seconds. What is compared takes turns: whatever else the machine does then hits all alike."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Timed(NamedTuple, Generic[T]):
    """What a piece of work gave, and how long it took: on the wall's clock, and of the CPU in all threads."""

    result: T
    wall: float
    cpu: float


def timed(work: Callable[[], T]) -> Timed[T]:
    """Do the work once."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    spent = time.perf_counter() - wall  # read first: the other clock takes longer to read
    return Timed(result, spent, time.process_time() - cpu)


def shortest(calls: Sequence[Callable[[], object]]) -> float:
    """Time on the wall's clock of the fastest of `calls`, after one of the first that warms up."""
    calls[0]()
    return min(timed(call).wall for call in calls)


def interleaved(
    ways: Mapping[K, Callable[[int], list[T]]], rounds: int, warm_up: int = 1
) -> dict[K, list[T]]:
    """Times of several ways to do a thing, round by round.

    Args:
        ways: called with the number of the round; each gives the times of what it did in it, if anything.
        rounds: how many count.
        warm_up: how many go before and do not count.
    """
    times: dict[K, list[T]] = {name: [] for name in ways}
    for turn in range(warm_up + rounds):
        for name, way in ways.items():
            spent = way(turn)
            if turn >= warm_up:
                times[name] += spent
    return times


def milliseconds(times: Sequence[float]) -> dict[str, float]:
    """Least and median of some times, as a row has them."""
    return {"min_ms": 1e3 * min(times), "median_ms": 1e3 * statistics.median(times)}
