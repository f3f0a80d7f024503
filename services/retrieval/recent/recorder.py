"""The thread that reads the metrics every few seconds, and what is told of them."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from services.retrieval.readiness import Standing, Status, told
from services.retrieval.recent.curves import drawn, points
from services.retrieval.recent.findings import findings, unjudged, verdict
from services.retrieval.recent.past import Past
from services.retrieval.recent.reading import Sample, Totals, samples
from services.retrieval.workers import Workers

LOG = logging.getLogger("taxohash")

SECONDS = 5.0
HOUR = 3600.0
MOST = int(HOUR / SECONDS) + 1
_WAITING = 64  # requests that wait to be told


class Recorder:
    """Keeps the last hour, in memory that is bounded; costs some milliseconds of a thread every five seconds."""

    def __init__(
        self,
        read: Callable[[], list[Sample]] = samples,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start nothing yet.

        Args:
            read: what the metrics are now.
            clock: Unix time.
        """
        self._read, self._clock = read, clock
        self._totals, self._past = Totals(), Past.none()
        self._drawn: tuple[Past, float, dict[str, Any]] | None = None
        self._workers = Workers("status", 1, _WAITING)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        self._workers.close()

    def record(self) -> None:
        """Read once."""
        now = self._clock()
        if (
            len(self._past) and now <= self._past.times[-1]
        ):  # the clock was set back: these times mean nothing now
            self._past = Past.none()
        self._totals = self._totals.then(self._read())
        self._past = self._past.then(now, self._totals.generation, self._totals.values, MOST)

    async def told(
        self,
        collection: str,
        codes: int | None,
        standing: Standing,
        status: Status,
        failing: bool,
        seconds: float,
    ) -> dict[str, Any]:
        """What `schemas.status.StatusTold` is.

        Args:
            codes: that are searched.
            failing: what is to be served cannot be loaded.
            seconds: of the past that are told.

        Raises:
            RefusedError: 429, too many ask.
        """
        past = self._past
        curves = await self._workers.run(lambda: self._of(past, seconds))
        found = findings(standing, status, failing, past)
        return {
            "now": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
            "verdict": verdict(found),
            "findings": [one._asdict() for one in found],
            "unjudged": unjudged(past),
            "served": told(standing, status) | {"collection": collection, "codes": codes},
            "every_seconds": SECONDS,
            **curves,
        }

    def _of(self, past: Past, seconds: float) -> dict[str, Any]:
        """The past as it is drawn; made once of each reading."""
        if self._drawn and self._drawn[0] is past and self._drawn[1] == seconds:
            return self._drawn[2]
        ends = points(past, seconds)
        found = {
            "times": [round(time, 1) for time in past.times[ends].tolist()],
            "swaps": [
                {
                    "when": round(float(past.times[row]), 1),
                    "generation": past.generations[row],
                    "before": past.generations[row - 1] or None,
                }
                for row in past.swaps()
                if len(ends) and row >= ends[0]
            ],
            "curves": drawn(past, ends),
        }
        self._drawn = (past, seconds, found)
        return found

    def _run(self) -> None:
        failed = False
        while True:
            try:
                self.record()
                failed = False
            except Exception:  # of a collector: the service goes on, and so does the next reading
                if not failed:
                    LOG.exception("the metrics cannot be read for the page of the status")
                failed = True
            if self._ended.wait(SECONDS):
                return
