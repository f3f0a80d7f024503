"""So many pictures a second and no more, and how many it has been of late."""

import time
from collections import deque
from collections.abc import Callable

TOGETHER = 64  # pictures in memory at once
_WINDOW = 30.0  # seconds over which speed is measured


class Pace:
    """Keeps a backfill to a rate, and measures it."""

    def __init__(
        self,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is done yet.

        Args:
            rate: pictures a second; as fast as it goes if left out.
        """
        self.clock, self.sleep = clock, sleep
        self._rate = rate
        self._free_at = clock()
        self._looked = 0
        self._seen: deque[tuple[float, int]] = deque([(self._free_at, 0)])

    @property
    def together(self) -> int:
        """How many pictures to take at once: no more than a second's."""
        return TOGETHER if self._rate is None else max(1, min(TOGETHER, int(self._rate)))

    @property
    def speed(self) -> float | None:
        """Pictures a second of late; None before the first."""
        (since, before), (until, looked) = self._seen[0], self._seen[-1]
        return (looked - before) / (until - since) if until > since else None

    def wait(self, pictures: int) -> None:
        """Return when so many may be taken."""
        if self._rate is None:
            return
        now = self.clock()
        if self._free_at > now:
            self.sleep(self._free_at - now)
        self._free_at = max(self._free_at, now) + pictures / self._rate

    def count(self, pictures: int) -> None:
        """So many were looked at."""
        self._looked += pictures
        self._seen.append((self.clock(), self._looked))
        while len(self._seen) > 2 and self._seen[1][0] < self._seen[-1][0] - _WINDOW:
            self._seen.popleft()

    def forget(self) -> None:
        """Measure anew: time passed in which nothing was to be done."""
        self._seen = deque([(self.clock(), self._looked)])
