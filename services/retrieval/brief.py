"""Searches so brief that to hand them to a thread would take longer than they do: they are done where they are asked for."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_MOST_SECONDS = 0.001  # of CPU: for which all others may wait
_OF_THE_LAST = 0.1  # weight of one search in the mean
# Of brief ones so many go by before one is timed again, as to read that clock is a call of the system.
_EVERY = 16


class Brief:
    """What the plain searches of a process have taken of the CPU lately."""

    def __init__(self) -> None:
        self._seconds = math.inf  # until the first
        self._untimed = 0

    @property
    def fits(self) -> bool:
        """Whether the next is likely to be brief."""
        return self._seconds <= _MOST_SECONDS

    def done(self, work: Callable[[], T]) -> T:
        """Do one, wherever this is, and remember what it took; of brief ones, of some."""
        if self.fits and self._untimed < _EVERY:
            self._untimed += 1
            return work()
        self._untimed = 0
        began = time.thread_time()
        result = work()
        spent = time.thread_time() - began
        self._seconds = (
            spent if self._seconds == math.inf else self._seconds + _OF_THE_LAST * (spent - self._seconds)
        )
        return result
