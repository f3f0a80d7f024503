"""The thread that asks the canaries of what is served, and looks at the codes of its items. No search and no swap waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from services.codestore import ItemLabels
from services.retrieval.health.families import FAMILIES
from services.retrieval.health.health import Health
from services.retrieval.health.rounds import Distances
from taxohash.codes import Codes
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash")
_LOOK_SECONDS = 1.0  # between looks at what is served
_AT_ONCE_SECONDS = 0.005  # of work until it rests
# It rests so many times as long as it has worked, so that it takes a hundredth of a core; and a tenth while canaries are encoded, which is
# done once for each generation.
_REST, _REST_OF_ENCODING = 100.0, 10.0
_PAUSE_SECONDS = 60.0  # after what should not happen
_STOP_SECONDS = 5.0


class Served(Protocol):
    """What is served."""

    health: Health

    @property
    def changes(self) -> int:
        """Made to its items until now."""

    def near(self, code: Codes, count: int) -> tuple[Distances, ItemLabels]:
        """See `rounds.Near`."""

    def some_codes(self, most: int) -> Codes:
        """uint8[n, ceil(bits/8)]: codes of all items, or of so many."""


class Watch:
    """Of what one process serves. It holds nothing of a generation while it rests."""

    def __init__(
        self, served: Callable[[], Served | None], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start nothing yet.

        Args:
            served: gives what is served now.
            seconds: from the beginning of a round of canaries to the next; 0 for none.
            clock: in seconds, never set.
        """
        self._served, self._seconds, self._clock = served, seconds, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canaries", daemon=True)

    def start(self) -> None:
        """Begin, and have the metrics tell what is found and counted. It is started once."""
        FAMILIES.tell(self._health)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        FAMILIES.forget(self._health)
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS)

    def step(self) -> float:
        """Work for a moment; for how many seconds to rest then."""
        begun = time.thread_time()
        try:
            rest, least = self._work(begun)
        except Exception as error:
            LOG.error("canaries are not asked", exc_info=error)
            return _PAUSE_SECONDS
        return max(rest * (time.thread_time() - begun), least)

    def _run(self) -> None:
        while not self._stopping.wait(self.step()):
            pass

    def _health(self) -> Health | None:
        served = self._served()
        return served.health if served else None

    def _work(self, begun: float) -> tuple[float, float]:
        """Work for a moment from `begun` on. How many times as long to rest, and how many seconds at least."""
        if (served := self._served()) is None:
            return _REST, _LOOK_SECONDS
        rounds = served.health.rounds
        served.health.entropy.look(served.changes, served.some_codes)
        if not self._seconds:
            return _REST, _LOOK_SECONDS
        if not rounds.is_prepared:
            _until(begun, lambda: _prepare(served.health))
            return _REST_OF_ENCODING, 0.0
        if not rounds.is_under_way:
            if not rounds.count or self._clock() < rounds.due:
                return _REST, _LOOK_SECONDS
            rounds.due = self._clock() + self._seconds
        _until(begun, lambda: rounds.ask(served.near))
        return _REST, 0.0


def _until(begun: float, step: Callable[[], bool]) -> None:
    """Step until it is done, or the moment is over."""
    while not step() and time.thread_time() - begun < _AT_ONCE_SECONDS:
        pass


def _prepare(health: Health) -> bool:
    """Encode one canary more; whether all are."""
    try:
        health.rounds.prepare()
    except TaxohashError as error:
        LOG.warning("canaries of generation %s are not asked: %s", health.generation, error)
        health.rounds.give_up()
    return health.rounds.is_prepared
