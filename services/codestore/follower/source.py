"""Where a follower reads: one generation in one incarnation of a collection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.codestore.follower.protocol import Mark
from services.codestore.records import Changes, Columns, Pointer
from taxohash.errors import TaxohashError


class Subscription(Protocol):
    """The messages of a channel. It connects by itself, and again after a cut.

    Attributes:
        trouble: why there is no connection, "" while there is one.
    """

    trouble: str

    def wait(self, seconds: float) -> Sequence[bytes]: ...
    def close(self) -> None: ...


class Source(Protocol):
    """What a follower calls, from several threads at once.

    Raises (every method but subscribe):
        GoneError: the generation was dropped.
        StaleError: the collection was wiped, and perhaps made anew.
        TaxohashError: anything else that may pass; it is tried again.
    """

    @property
    def incarnation(self) -> str: ...

    @property
    def generation(self) -> str: ...

    @property
    def segments(self) -> int: ...

    def page(self, segment: int, first_block: int, blocks: int) -> Columns:
        """Some blocks of rows."""

    def changes(self, segment: int, since: int, seen: Sequence[Mark]) -> Changes:
        """The rows written since.

        Raises:
            TrimmedError: nobody knows, or the server's history lacks a mark of `seen`.
        """

    def subscribe(self) -> Subscription:
        """Listen to the hints of the collection: `segment position` each."""

    def lease(self, seconds: float) -> None:
        """Keep the generation from being dropped for so long from now."""

    def release(self) -> None:
        """Give the lease back."""


class Store(Protocol):
    """The calls of CodeStore that are needed here."""

    def page(
        self,
        collection: str,
        generation_id: str,
        segment: int,
        first_block: int,
        blocks: int,
        *,
        incarnation: str,
    ) -> Columns: ...

    def changes(
        self,
        collection: str,
        generation_id: str,
        segment: int,
        since: int,
        seen: Sequence[tuple[int, int]],
        *,
        incarnation: str,
    ) -> Changes: ...

    def subscribe(self, collection: str) -> Subscription: ...
    def lease(self, collection: str, generation_id: str, process: str, seconds: float) -> None: ...
    def release(self, collection: str, generation_id: str, process: str) -> None: ...
    def pointer(self, collection: str) -> Pointer: ...
    def segments(self, collection: str) -> int: ...
    def unencodable(self, collection: str, generation_id: str, ids: Sequence[str]) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class StoreSource:
    """A generation in a code store; a Source.

    Attributes:
        process: names this process in its leases.
    """

    store: Store
    collection: str
    incarnation: str
    generation: str
    segments: int
    process: str

    def page(self, segment: int, first_block: int, blocks: int) -> Columns:
        return self.store.page(
            self.collection, self.generation, segment, first_block, blocks, incarnation=self.incarnation
        )

    def changes(self, segment: int, since: int, seen: Sequence[Mark]) -> Changes:
        marks = [(mark.position, mark.stamp) for mark in seen]
        return self.store.changes(
            self.collection, self.generation, segment, since, marks, incarnation=self.incarnation
        )

    def subscribe(self) -> Subscription:
        return self.store.subscribe(self.collection)

    def lease(self, seconds: float) -> None:
        self.store.lease(self.collection, self.generation, self.process, seconds)

    def release(self) -> None:
        self.store.release(self.collection, self.generation, self.process)


@dataclass(frozen=True)
class Collection:
    """A collection in a code store, of which one generation or the published one is followed.

    Attributes:
        process: names this process in its leases.
    """

    store: Store
    name: str
    process: str

    def pointer(self) -> Pointer:
        """What is published now. Raises: TaxohashError: nobody can tell now."""
        return self.store.pointer(self.name)

    def source(self, pointer: Pointer) -> StoreSource:
        """Where the published generation is read.

        Raises:
            TaxohashError: nothing is published.
        """
        if pointer.generation is None:
            raise TaxohashError(f"collection {self.name!r} has no published generation: publish one first")
        return StoreSource(
            self.store,
            self.name,
            pointer.incarnation,
            pointer.generation.id,
            len(pointer.positions),
            self.process,
        )

    def unencodable(self, generation: str, ids: Sequence[str]) -> Mapping[str, str]:
        """Of which items no backfill can bring the code, and why. Raises: TaxohashError: nobody can tell now."""
        return self.store.unencodable(self.name, generation, ids)

    def pinned(self, generation: str) -> StoreSource:
        """Where a generation is read, whatever is published.

        Raises:
            TaxohashError: nobody can tell now.
        """
        pointer = self.store.pointer(self.name)
        segments = self.store.segments(self.name)
        return StoreSource(self.store, self.name, pointer.incarnation, generation, segments, self.process)
