"""What happened when."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

_LOOK_SECONDS = 0.1


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        at: seconds since the beginning.
        mark: the same in few words, where a picture shows it.
    """

    at: float
    what: str
    mark: str = ""


class Timeline:
    """Events with the seconds since the beginning, printed as they come.

    Attributes:
        begun: the beginning, of time.monotonic.
        begun_at: the same as a Unix time.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.begun, self.begun_at = time.monotonic(), time.time()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    def tell(self, what: str, mark: str = "") -> None:
        """Note an event that happens now."""
        self.events.append(Event(self.now, what, mark))
        print(f"{self.events[-1].at:7.1f} s  {what}", file=sys.stderr, flush=True)

    def wait(self, holds: Callable[[], object], what: str, seconds: float) -> None:
        """Wait until it holds.

        Raises:
            AssertionError: it does not in so many seconds, which pass only where the loop is broken.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"did not happen in {seconds:g} s: {what}"
            time.sleep(_LOOK_SECONDS)

    def until(self, holds: Callable[[], object], event: str, seconds: float, mark: str = "") -> None:
        """Wait until it holds, and note it; `event` says what then has happened."""
        self.wait(holds, event, seconds)
        self.tell(event, mark)
