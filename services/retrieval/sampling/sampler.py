"""Chooses queries by chance and has a thread keep them, so that a search waits for nothing of it, whatever the store does.

The thread also removes what has to go: at its start, from time to time, after each twentieth of what may be kept, and,
of deleted items, at once. It does so where nothing is sampled too: what was kept before does not stay.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from services import metrics
from services.codestore.sampled import Bounds, Facts, Node, SampledQueries, SampledQuery, deleted_at, surplus
from services.retrieval.sampling.waiting import Waiting
from services.retrieval.settings import Sampling
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash")

_WAITING = 64  # queries that wait to be kept
_WAITING_BYTES = 32 << 20
_LATE_SECONDS = 30.0  # for which one may wait, with the generation that answered it
_PAUSE_SECONDS = 15.0  # after one that could not be kept
_LOOKS = 20  # while as many are kept as there may be; and in the time that one is kept
_LOOK_SECONDS = (1.0, 300.0)  # at least, and at most, between two looks
_IDLE_SECONDS = 3600.0  # where nothing is sampled, and nothing was left
_AGAIN_SECONDS = 60.0  # after a deletion: another process may have had the picture waiting
# Of an answer, and so called in `Facts`.
_KEPT = ("generation", "bits", "code", "predicted", "unlike", "novelty")
_OUTCOMES = ("kept", "dropped", "failed")


@dataclass(frozen=True)
class _Answered:
    """A picture and what was answered.

    Attributes:
        answer: of `schemas.search.Answer` what is kept.
        nearest: gives the Hamming distance of the nearest of all items.
        when: Unix time.
        since: the same by the clock that is never set.
    """

    picture: bytes
    pixels: str
    answer: dict[str, Any]
    identical: bool
    nearest: Callable[[], int]
    when: float
    since: float


class Sampler:
    """Of one collection, in one process. Offered to from any thread; it never raises, and never waits, there."""

    def __init__(
        self,
        queries: SampledQueries | None,
        sampling: Sampling,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Start nothing yet.

        Args:
            queries: where they are kept; None where there is no store of pictures.
            chance: a number from 0 to 1, the latter excluded.

        Raises:
            TaxohashError: some should be kept, and nobody said where.
        """
        if queries is None and sampling.share:
            raise TaxohashError(
                f"TAXOHASH_SAMPLE_SHARE is {sampling.share:g} and there is no store of pictures: set TAXOHASH_PICTURES, or leave it at 0"
            )
        self._queries, self._share, self._chance = queries, sampling.share, chance
        self._bounds = Bounds(sampling.most, sampling.most_bytes, sampling.seconds)
        least, most = _LOOK_SECONDS
        self._look_seconds = min(max(sampling.seconds / _LOOKS, least), most)
        self._waiting: Waiting[_Answered] = Waiting(_WAITING, _WAITING_BYTES)
        self._deleted: dict[str, float] = {}
        self._lock = threading.Lock()  # of what was deleted
        self._next_look = 0.0
        self._written = self._written_bytes = 0  # since the last look
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to keep what is offered, and to remove what has to go."""
        if self._queries is None:
            return
        if self._share:
            for outcome in _OUTCOMES:  # each begins at 0, so that the first of its kind is an increase
                metrics.SAMPLED_QUERIES.labels(outcome)
        self._thread = threading.Thread(target=self._run, args=(self._queries,), name="sampling", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Keep what waits, for so long; what is left then is dropped."""
        self._waiting.close()
        if self._thread:
            self._thread.join(seconds)
        _count("dropped", self._waiting.clear())

    def offer(
        self,
        picture: bytes,
        pixels: str,
        answer: Mapping[str, Any],
        nearest: Callable[[], int],
        identical: bool = False,
    ) -> None:
        """Keep a query by picture, if chance will have it.

        Args:
            picture: its bytes as they were sent.
            pixels: the hash of its pixels.
            answer: see `schemas.search.Answer`; what is kept of it, `Facts` says.
            nearest: gives the Hamming distance of the nearest of all items; called by another thread.
            identical: whether an item has the very picture.
        """
        if self._chance() >= self._share:
            return
        kept = {name: answer[name] for name in _KEPT if name in answer}
        one = _Answered(picture, pixels, kept, identical, nearest, time.time(), time.monotonic())
        if not self._waiting.put(one, len(picture)):
            _count("dropped")

    def forget(self, looks: Collection[str]) -> None:
        """Remove what was sampled of pictures of deleted items, and what waits of it, by the sha256 of bytes or the hash of pixels.

        Another process may be writing one: it is looked for once more a while later.

        Raises:
            StoreUnavailableError: the store does not answer as it should.
        """
        if self._queries is None:
            return
        with self._lock:
            self._deleted |= dict.fromkeys(looks, time.time())
            self._next_look = min(self._next_look, time.monotonic() + _AGAIN_SECONDS)
        self._queries.forget(looks)

    def _run(self, queries: SampledQueries) -> None:
        while True:
            wait = min(self._next_look - time.monotonic(), _AGAIN_SECONDS)
            one = self._waiting.take(max(wait, 0.0))
            if one is not None:
                self._keep(queries, one)
            elif self._waiting.closed:
                return
            if time.monotonic() >= self._next_look and not self._waiting.closed:
                self._look(queries)

    def _keep(self, queries: SampledQueries, one: _Answered) -> None:
        if time.monotonic() > one.since + _LATE_SECONDS:
            _count("dropped")
            return
        try:
            kept = queries.keep(SampledQuery(one.picture, self._facts(one)))
        except Exception as error:  # of a store that fails in its own way too: searches go on
            _count("failed")
            _tell("a sampled query is not kept", error)
            self._waiting.rest(_PAUSE_SECONDS)
            return
        _count("kept")
        with self._lock:
            deleted = kept.when <= deleted_at(kept, self._deleted)
        self._written += 1
        self._written_bytes += kept.size
        bounds = self._bounds
        if (
            deleted
            or _LOOKS * self._written >= bounds.most
            or _LOOKS * self._written_bytes >= bounds.most_bytes
        ):
            self._next_look = 0.0

    def _facts(self, one: _Answered) -> Facts:
        told = dict(one.answer)
        if told.get("predicted") is not None:
            told["predicted"] = tuple(Node(**node) for node in told["predicted"])
        return Facts(
            when=int(one.when),
            share=self._share,
            pixels=one.pixels,
            nearest=one.nearest(),
            identical=one.identical,
            **told,
        )

    def _look(self, queries: SampledQueries) -> None:
        """Remove what has to go."""
        begun, now = time.monotonic(), time.time()
        with self._lock:
            deleted = dict(self._deleted)
            self._next_look = begun + self._look_seconds
        try:
            there = queries.kept()
            going = surplus(there, self._bounds, now, deleted)
            for one in going:
                if self._waiting.closed:
                    return
                queries.remove(one)
            queries.remove_drafts(now)
        except Exception as error:  # see `_keep`
            metrics.SAMPLED_QUERIES_LEFT.inc()
            _tell("sampled queries that have to go are not removed", error)
            return
        left = len(there) - len(going)
        metrics.SAMPLED_QUERIES_KEPT.set(left)
        self._written = self._written_bytes = 0
        with self._lock:
            for look, when in deleted.items():
                if when + _AGAIN_SECONDS <= now and self._deleted[look] == when:
                    del self._deleted[look]
            if not self._share and not left and not self._deleted:
                self._next_look = begun + _IDLE_SECONDS


def _count(outcome: str, queries: int = 1) -> None:
    if queries:
        metrics.SAMPLED_QUERIES.labels(outcome).inc(queries)


def _tell(what: str, error: Exception) -> None:
    """In one line."""
    if isinstance(error, TaxohashError):
        LOG.warning("%s: %s", what, error)
    else:
        LOG.error("%s", what, exc_info=error)
