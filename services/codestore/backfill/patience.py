"""Which pictures lay in a place that did not answer: they are asked for again ever more seldom, and hold up nothing meanwhile."""

import time
from collections.abc import Callable

from services.codestore.records import Lacking

FIRST_SECONDS, MOST_SECONDS = 2.0, 60.0


class Patience:
    """Of one generation, from pass to pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rests: dict[tuple[str, int], tuple[float, float]] = {}  # until when, and how long that was

    def knows(self, item: Lacking) -> bool:
        """Whether its place did not answer before."""
        return (item.id, item.revision) in self._rests

    def due(self) -> set[tuple[str, int]]:
        """Those that may be asked for again, by id and revision."""
        now = self._clock()
        return {key for key, (until, _) in self._rests.items() if until <= now}

    def unanswered(self, item: Lacking) -> bool:
        """Its place did not answer; whether that is new."""
        new = (item.id, item.revision) not in self._rests
        _, before = self._rests.get((item.id, item.revision), (0.0, FIRST_SECONDS / 2))
        seconds = min(2 * before, MOST_SECONDS)
        self._rests[item.id, item.revision] = (self._clock() + seconds, seconds)
        return new

    def answered(self, item: Lacking) -> None:
        """Its place did."""
        self._rests.pop((item.id, item.revision), None)

    def next(self) -> float:
        """When the first of them may be asked for again, perhaps by now; infinite where there is none."""
        old = self._clock() - 2 * MOST_SECONDS  # not asked for again for so long, it is not lacking any more
        self._rests = {key: rest for key, rest in self._rests.items() if rest[0] > old}
        return min((until for until, _ in self._rests.values()), default=float("inf"))
