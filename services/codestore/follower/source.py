"""Where a follower reads: one generation in one incarnation of a collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.codestore.follower.protocol import Columns, Mark


class Read(Protocol):
    """Rows that were written since: see protocol.ChangesRead."""

    @property
    def columns(self) -> Columns: ...
    @property
    def until(self) -> int: ...
    @property
    def age(self) -> float: ...


class Subscription(Protocol):
    """The messages of a channel, `b"segment position"` each. It connects by itself, and again after a cut.

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
    def generation(self) -> str: ...

    @property
    def segments(self) -> int: ...

    def page(self, segment: int, first_block: int, blocks: int) -> Columns:
        """Some blocks of rows."""

    def changes(self, segment: int, since: int, seen: Sequence[Mark]) -> Read:
        """The rows written since.

        Raises:
            TrimmedError: nobody knows, or the server's history lacks a mark of `seen`.
        """

    def subscribe(self) -> Subscription:
        """Listen to the hints of the collection."""

    def lease(self, seconds: float) -> None:
        """Keep the generation from being dropped for so long from now."""

    def release(self) -> None:
        """Give the lease back."""


class ReadingStore(Protocol):
    """The calls of a code store that a follower needs."""

    def page(
        self,
        collection: str,
        generation: str,
        segment: int,
        first_block: int,
        blocks: int,
        *,
        incarnation: str,
    ) -> Columns: ...

    def changes(
        self,
        collection: str,
        generation: str,
        segment: int,
        since: int,
        seen: Sequence[tuple[int, int]],
        *,
        incarnation: str,
    ) -> Read: ...

    def subscribe(self, collection: str) -> Subscription: ...

    def lease(self, collection: str, generation: str, process: str, seconds: float) -> None: ...

    def release(self, collection: str, generation: str, process: str) -> None: ...


@dataclass(frozen=True)
class StoreSource:
    """A Source that reads a code store.

    Attributes:
        process: names this process in its leases.
    """

    store: ReadingStore
    collection: str
    incarnation: str
    generation: str
    segments: int
    process: str

    def page(self, segment: int, first_block: int, blocks: int) -> Columns:
        return self.store.page(
            self.collection, self.generation, segment, first_block, blocks, incarnation=self.incarnation
        )

    def changes(self, segment: int, since: int, seen: Sequence[Mark]) -> Read:
        pairs = [(mark.position, mark.stamp) for mark in seen]
        return self.store.changes(
            self.collection, self.generation, segment, since, pairs, incarnation=self.incarnation
        )

    def subscribe(self) -> Subscription:
        return self.store.subscribe(self.collection)

    def lease(self, seconds: float) -> None:
        self.store.lease(self.collection, self.generation, self.process, seconds)

    def release(self) -> None:
        self.store.release(self.collection, self.generation, self.process)
