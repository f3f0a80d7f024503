"""Which generation is served: the published one, followed from one to the next, or a pinned one."""

import ctypes
import gc
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from services.codestore import GenerationRef, Pointer
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection, StoreSource
from services.codestore.follower.swap import Serving, Swap
from services.codestore.hashers import Hashers
from services.retrieval.engine import Engine
from services.retrieval.late_store import LateStore
from taxohash.errors import TaxohashError

Served = Serving[Replica, Engine]
Served.__doc__ = "One generation, whole."


class Followed:
    """What is published in a collection, or one generation of it whatever is published; a Store of Swap."""

    def __init__(self, store: LateStore, collection: str, pin: str | None = None) -> None:
        self._store, self._name, self._pin = store, collection, pin
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._pinned: Pointer | None = None
        self.published: str | None = None

    def pointer(self) -> Pointer:
        """What is to be served now.

        Raises:
            TaxohashError: nobody can tell now; the pinned generation is not there.
        """
        pointer = self._store().pointer(self._name)
        self.published = pointer.generation.id if pointer.generation else None
        if self._pin is None:
            return pointer
        if self._pinned is None or self._pinned.incarnation != pointer.incarnation:
            self._pinned = self._find(self._pin, pointer.incarnation)
        return self._pinned

    def source(self, pointer: Pointer) -> StoreSource:
        """Where it is read."""
        collection = Collection(self._store(), self._name, self._process)
        return collection.pinned(self._pin) if self._pin else collection.source(pointer)

    def unencodable(self, generation: str, ids: Sequence[str]) -> Mapping[str, str]:
        """Of which items no backfill can bring the code, and why.

        Raises:
            TaxohashError: nobody can tell now.
        """
        return self._store().unencodable(self._name, generation, ids)

    def open(self, hashers: Hashers, ref: GenerationRef) -> Served:
        """A generation with an empty replica.

        Raises:
            TaxohashError: it has no hasher here, or its taxonomy is none of the collection's.
        """
        hasher = hashers.open(ref)
        store = self._store()
        numbers = store.labels(self._name)
        own = numbers.numbers(numbers.version_of(ref.taxonomy_sha256))
        replica = Replica(ref.bits, store.segments(self._name), hasher.taxonomy, own, hasher.centres)
        engine = Engine(hasher, replica, numbers.labels(ref.taxonomy_sha256), own)
        return Serving(ref.id, replica, engine)

    def _find(self, pin: str, incarnation: str) -> Pointer:
        states = {state.ref.id: state for state in self._store().generations(self._name)}
        if pin not in states:
            raise TaxohashError(
                f"generation {pin} is not in collection {self._name!r}: index it, or correct TAXOHASH_PIN"
            )
        if (state := states[pin]).state in ("building", "dropping"):
            raise TaxohashError(
                f"generation {pin} is {state.state} in collection {self._name!r}: seal it, or correct TAXOHASH_PIN"
            )
        return Pointer(incarnation, state.ref, (0,) * self._store().segments(self._name))


def follow(
    followed: Followed,
    hashers: Hashers,
    loaded: Callable[[Served], None],
    ended: Callable[[float | None], None],
) -> Swap[Replica, Engine]:
    """What serves a collection, not started yet.

    Args:
        loaded: told of each generation before it is served.
        ended: told of each change of what is served, see `Swap`.
    """

    def warm(served: Served) -> None:
        served.replica.arrange()
        served.engine.warm_up()
        _freeze()
        give_memory_back()
        loaded(served)

    return Swap(followed, lambda ref: followed.open(hashers, ref), warm, ended=ended)


@cache
def _freeze() -> None:
    """What is loaded once stays: the collector need not walk it again and again while requests wait."""
    gc.collect()
    gc.freeze()


def give_memory_back() -> None:
    """Loading takes more than it keeps, and the C library would hold on to it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # of glibc alone
        trim(0)
