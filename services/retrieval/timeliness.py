"""Whether searches are answered in time: the two counters that the objective of their latency is made of."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect

from services import metrics
from services.web.refused import RefusedError

_IN_TIME, _LATE = (metrics.SEARCHES_TIMED.labels(outcome) for outcome in ("in time", "late"))


class Search:
    """One that is to be answered."""

    def __init__(self) -> None:
        self.since = time.perf_counter()

    def arrived(self) -> None:
        """Its body is there, however long its client took to send it."""
        self.since = time.perf_counter()


@contextmanager
def counted(seconds: float) -> Iterator[Search]:
    """Count the search that the block answers: in time within so many seconds from the end of its body, late else, or where we fail.

    What a client is to blame for is not counted, nor what is refused as too many.
    """
    search = Search()
    try:
        yield search
    except ClientDisconnect:
        raise
    except RefusedError as refused:
        if refused.status >= 500:
            _LATE.inc()
        raise
    except Exception:
        _LATE.inc()
        raise
    (_IN_TIME if time.perf_counter() - search.since <= seconds else _LATE).inc()
