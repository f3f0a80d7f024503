"""`taxohash serve`, whose process that serves counts nothing from SIGUSR1 on, and everything again from SIGUSR2 on: what metrics cost.

python -m benchmarks.speed.serving.metered FOLDER --port 0
"""

import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from services import metrics
from services.retrieval import app
from services.retrieval.health.health import Health
from services.retrieval.middleware import Guard
from services.retrieval.routes import search
from services.retrieval.server import main

COUNTS_NOTHING, COUNTS = signal.SIGUSR1, signal.SIGUSR2
_COUNTER, _GAUGE = type(metrics.REQUESTS), type(metrics.READY)


class _Nothing:
    """Every metric at once."""

    def inc(self, amount: float = 1.0) -> None: ...
    def dec(self, amount: float = 1.0) -> None: ...
    def set(self, value: float) -> None: ...
    def observe(self, amount: float) -> None: ...
    def arrived(self) -> None: ...
    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None: ...


_NOTHING = _Nothing()


def _no(*_: Any) -> _Nothing:
    return _NOTHING


# Who has it, its name, and what is there instead.
_INSTEAD: list[tuple[Any, str, Callable[..., Any]]] = [
    (_COUNTER, "labels", _no),
    (_COUNTER, "inc", _no),
    (_GAUGE, "labels", _no),
    (_GAUGE, "inc", _no),
    (_GAUGE, "dec", _no),
    (_GAUGE, "set", _no),
    (metrics.Seconds, "labels", lambda histogram, *_: histogram),  # whose `time` is a context
    (metrics.Seconds, "observe", _no),
    (metrics, "requests", _no),
    (metrics, "request_seconds", _no),
    (metrics, "stage_seconds", _no),
    (Health, "count", _no),
    (search, "Counted", _no),
]
_THERE = [(holder, name, getattr(holder, name)) for holder, name, _ in _INSTEAD]


def create() -> Guard:
    """The application, in a process that hears the signals."""
    signal.signal(COUNTS_NOTHING, lambda *_: _put(_INSTEAD))
    signal.signal(COUNTS, lambda *_: _put(_THERE))
    return app.create()


def _put(ways: Iterable[tuple[Any, str, Any]]) -> None:
    for way in ways:
        setattr(*way)


if __name__ == "__main__":
    _put([(main, "_WORKER", (*main._WORKER, "--app", "benchmarks.speed.serving.metered:create"))])
    sys.exit(main.main())
