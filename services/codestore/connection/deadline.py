"""Until when something may take."""

import time


class Deadline:
    """A moment of the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    def timeout(self) -> float:
        """Seconds that are left, never 0: a socket takes that for not to wait at all.

        Raises:
            TimeoutError: it has passed.
        """
        left = self.left  # once: none may be left a moment later
        if not left:
            raise TimeoutError
        return left

    def within(self, seconds: float) -> "Deadline":
        """This one, or `seconds` from now where that is sooner."""
        return Deadline(min(self.left, seconds))
