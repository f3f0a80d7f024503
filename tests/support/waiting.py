"""Waiting for what threads do."""

import time
from collections.abc import Callable

# What is waited for for long is often a service that is asked: asking it all the time would take what it needs itself.
_LONGEST_PAUSE = 0.05


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it holds; the seconds pass only where a test fails."""
    deadline, pause = time.monotonic() + seconds, 0.002
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)
