"""The stages of one search, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from services import metrics


class Stages:
    """Of one search: decode, encode, search, describe.

    Attributes:
        seconds: that each took.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage, for the metrics too, where it comes to its end."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
        metrics.stage_seconds(stage).observe(self.seconds[stage])

    def in_ms(self) -> dict[str, float]:
        """Milliseconds of each."""
        return {stage: round(1000 * seconds, 3) for stage, seconds in self.seconds.items()}
