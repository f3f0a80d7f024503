"""Whether searches are answered in time: the two counters that the objective of their latency is made of."""

import time
from types import TracebackType

from starlette.requests import ClientDisconnect

from services import metrics
from services.web.refused import RefusedError

_IN_TIME, _LATE = (metrics.SEARCHES_TIMED.labels(outcome) for outcome in ("in time", "late"))


class Counted:
    """Counts the search that its block answers: in time within so many seconds from the end of its body, late else, or where we fail.

    What a client is to blame for is not counted, nor what is refused as too many.
    """

    __slots__ = ("_seconds", "_since")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = time.perf_counter()

    def arrived(self) -> None:
        """Its body is there, however long its client took to send it."""
        self._since = time.perf_counter()

    def __enter__(self) -> "Counted":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            in_time = time.perf_counter() - self._since <= self._seconds
            (_IN_TIME if in_time else _LATE).inc()
        elif _is_ours(error):
            _LATE.inc()


def _is_ours(error: BaseException) -> bool:
    """Whether it is us who failed."""
    if isinstance(error, RefusedError):
        return error.status >= 500
    return isinstance(error, Exception) and not isinstance(error, ClientDisconnect)
