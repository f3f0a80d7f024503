"""A share of a core for what costs more than counting."""

import threading
import time

SHARE = 0.002
MOST_SECONDS = 0.02  # that may be saved up


class Allowance:
    """From any thread. Who comes while it is used up goes without, whatever he brings: so those who do not are like all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left, self._since = MOST_SECONDS, time.monotonic()

    def is_left(self) -> bool:
        """Whether anything is."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + SHARE * (now - self._since), MOST_SECONDS)
            self._since = now
            return self._left > 0

    def spend(self, seconds: float) -> None:
        """Take so many of a core, perhaps more than there are."""
        with self._lock:
            self._left -= seconds
