"""Generations come and go: begun, filled with a data version, sealed, published, taken back, discarded and collected; and the
backfill that encodes what they lack. Both look at what is there and go on from it, whatever was lost or interrupted."""

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event

import numpy as np
import numpy.typing as npt

from services.codestore import APPLIED, CodeStore, Durability, Lacking
from services.codestore.backfill import Pace, TakenError, Turn, backfill, runner_name
from tests.chaos.client import Client
from tests.chaos.contents import (
    COLLECTION,
    DATA,
    SEGMENTS,
    TAXONOMY,
    codes_of,
    data_version,
    item_of,
    ref_of,
)

_MOST = 4  # generations at a time
_BATCH = 100
_PAUSE = 0.2


class Curator(Client):
    """What an operator and a pipeline do to a collection."""

    def __init__(self, store: CodeStore, seed: int, durability: Durability = APPLIED) -> None:
        super().__init__()
        self._store = store
        self._durability = durability
        self._chance = random.Random(f"curator {seed}")
        self._last = 0

    def prepare(self) -> None:
        """Make the collection with one generation that is published, before anything goes wrong."""
        self._store.create(COLLECTION, TAXONOMY, SEGMENTS)
        self.build(encoded=True)
        self._store.publish(COLLECTION, f"g{self._last}", who="chaos")

    def run(self, stop: Event, resting: Event, at_rest: Event) -> None:
        """One act after the other until told to stop; none while `resting` is set, and `at_rest` says so."""
        while not stop.is_set():
            if resting.is_set():
                at_rest.set()
                time.sleep(0.02)
                continue
            at_rest.clear()
            self.attempt(self.act)
            stop.wait(self._chance.uniform(0.0, _PAUSE))
        at_rest.set()

    def act(self) -> None:
        """Finish what was interrupted, then one act by chance; none where it makes no sense now."""
        generations = {known.ref.id: known.state for known in self._store.generations(COLLECTION)}
        history = self._store.history(COLLECTION)
        for name, state in generations.items():
            if state == "dropping":
                self._did("discard", partial(self._store.discard, COLLECTION, name))
            elif state == "building":
                self._fill(name)
        sealed = [name for name, state in generations.items() if state == "sealed"]
        act = self._chance.choice(("begin", "publish", "publish", "rollback", "gc", "gc", "discard"))
        if act == "begin" and len(generations) < _MOST:
            self.build(encoded=self._chance.random() < 0.5)
        elif act == "publish" and sealed:
            name = self._chance.choice(sealed)
            self._did("publish", lambda: self._store.publish(COLLECTION, name, who="chaos", wait=10.0))
        elif act == "rollback" and len(history) > 1:
            self._did("rollback", lambda: self._store.rollback(COLLECTION, who="chaos"))
        elif act == "gc":
            self._did("gc", self._collect)
        elif act == "discard" and len(sealed) > 1:
            name = self._chance.choice(sealed)
            self._did("discard", lambda: self._store.discard(COLLECTION, name, who="chaos"))

    def _collect(self) -> None:
        collected = self._store.gc(COLLECTION)
        self.counts["generations collected"] += len(collected.generations)
        self.counts["items collected"] += collected.items
        self.counts["rows moved"] += collected.moved

    def build(self, encoded: bool) -> None:
        """A new generation, sealed; without codes the backfill encodes it."""
        self._last += 1
        self._did("begin", lambda: self._store.begin(COLLECTION, ref_of(f"g{self._last}")))
        self._fill(f"g{self._last}", encoded)

    def _fill(self, name: str, encoded: bool = True) -> None:
        """Bring the data version of a generation, from its beginning, and seal it."""
        self._store.begin(COLLECTION, ref_of(name))
        version, ids = f"{DATA}.{name}", sorted(data_version(name))
        self._chance.shuffle(ids)
        for first in range(0, len(ids), _BATCH):
            batch = ids[first : first + _BATCH]
            codes = codes_of([(item_id, version) for item_id in batch], name) if encoded else None
            items = [item_of(item_id, version, version) for item_id in batch]
            self._store.fill(COLLECTION, name, items, codes, durability=self._durability)
        self._did("fill and seal", lambda: self._store.seal(COLLECTION, name))

    def _did(self, act: str, work: Callable[[], object]) -> None:
        work()
        self.counts[act] += 1


class Backfill(Client):
    """A runner that encodes what live generations lack; of several, one a generation."""

    def __init__(self, store: CodeStore) -> None:
        super().__init__()
        self._store = store
        self._runner = runner_name()

    def run(self, stop: Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            self.attempt(self.round)
            stop.wait(0.05)

    def round(self) -> int:
        """Look through all live generations once; how many items lacked a code, and generations that another encodes."""
        found = 0
        for known in self._store.generations(COLLECTION):
            if known.live and known.members > known.codes:
                try:
                    with Turn(self._store, COLLECTION, known.ref.id, self._runner) as turn:
                        found += self._encode(known.ref.id, turn)
                except TakenError:
                    found += 1
        return found

    def _encode(self, generation: str, turn: Turn) -> int:
        def encode(pictures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
            pairs = [data.decode().split("\n") for data in pictures]
            return codes_of([(item_id, picture) for item_id, picture in pairs], generation)

        done = backfill(self._store, COLLECTION, generation, _read, encode, turn, Pace())
        self.counts.update(coded=done.coded, overtaken=done.overtaken)
        return done.total


def _read(item: Lacking) -> bytes:
    """What stands for a picture: of which item it is, and which."""
    return f"{item.id}\n{item.uri.removeprefix('mem:')}".encode()
