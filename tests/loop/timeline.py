"""What happened when."""

import sys
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.1


class Timeline:
    """Events with the seconds since the beginning, printed as they come."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str]] = []
        self._begun = time.monotonic()

    def tell(self, event: str) -> None:
        """Note an event that happens now."""
        self.events.append((time.monotonic() - self._begun, event))
        print(f"{self.events[-1][0]:7.1f} s  {event}", file=sys.stderr, flush=True)

    def wait(self, holds: Callable[[], object], what: str, seconds: float) -> None:
        """Wait until it holds.

        Raises:
            AssertionError: it does not in so many seconds, which pass only where the loop is broken.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"did not happen in {seconds:g} s: {what}"
            time.sleep(_LOOK_SECONDS)

    def until(self, holds: Callable[[], object], event: str, seconds: float) -> None:
        """Wait until it holds, and note it; `event` says what then has happened."""
        self.wait(holds, event, seconds)
        self.tell(event)
