"""Readers that check all they are told while everything happens: one follows the published generation, one takes snapshots."""

import time
from collections.abc import Callable, Iterator
from threading import Event, Lock

from services.codestore import CodeStore
from taxohash.errors import TaxohashError
from tests.chaos.client import Client
from tests.chaos.contents import COLLECTION
from tests.chaos.invariants import Moment, Violation, check_snapshot, check_view
from tests.chaos.ledger import Ledger
from tests.chaos.reading import View, is_live

_LEASE_SECONDS = 30.0


class Reader(Client):
    """Looks again and again.

    Attributes:
        violations: that it has seen.
    """

    def __init__(self, look: Callable[[], Iterator[Violation]]) -> None:
        super().__init__()
        self.violations: list[Violation] = []
        self.lock = Lock()  # held while it looks
        self._look = look

    def run(self, stop: Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            with self.lock:
                self.attempt(self._look_once)
            stop.wait(0.1)

    def _look_once(self) -> None:
        self.violations += self._look()
        self.counts["checks while all goes on"] += 1


def following(store: CodeStore, ledger: Ledger) -> Callable[[], Iterator[Violation]]:
    """Follows the published generation under a lease, and compares all of it each time."""
    held: list[View] = []

    def look() -> Iterator[Violation]:
        try:
            pointer = store.pointer(COLLECTION)
            assert pointer.generation
            name = pointer.generation.id
            store.lease(COLLECTION, name, "reader", _LEASE_SECONDS)
            if not held or held[0].generation != name:
                held[:] = [View(store, name, pointer.incarnation, store.segments(COLLECTION))]
            since = time.monotonic()
            seen = held[0].refresh()
        except TaxohashError:
            held.clear()
            raise
        moment = Moment(since, time.monotonic())
        ledger.update()
        return check_view(seen, name, ledger, moment, "follower") if is_live(store, name) else iter(())

    return look


def taking_snapshots(store: CodeStore, ledger: Ledger) -> Callable[[], Iterator[Violation]]:
    """Reads the published generation whole each time."""

    def look() -> Iterator[Violation]:
        since = time.monotonic()
        snapshot = store.snapshot(COLLECTION)
        moment = Moment(since, time.monotonic())
        ledger.update()
        if not is_live(store, snapshot.generation.id):
            return iter(())
        return check_snapshot(snapshot, ledger, moment, whole=False)

    return look
