"""A collection as the store knows it, and the one way in which its parts call the server."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from services.codestore.checks import check_ids, check_item
from services.codestore.connection import APPLIED, Call, Durability, StaleError
from services.codestore.keys import check_name, collection_keys, segment_keys, segments_of
from services.codestore.labels import LabelNumbers
from services.codestore.records import GenerationRef, Item, State, Token, Written
from services.codestore.wire import by_segment, ended, results, unended
from services.codestore.writers import Lanes, WriteId
from taxohash.codes import check
from taxohash.errors import TaxohashError

LAYOUT = 4
MAX_SEGMENTS = 4096
STEP_BLOCKS = 4  # of one call that keeps a server busy: about a millisecond

T = TypeVar("T")


class Hints(Protocol):
    """The messages of a channel; see connection.Subscription."""

    trouble: str

    def wait(self, seconds: float) -> list[bytes]: ...
    def close(self) -> None: ...


class Server(Protocol):
    """What makes the calls: connection.Connection, or memory.MemoryConnection."""

    url: str

    def call(self, call: Call) -> Any: ...
    def call_all(self, calls: Sequence[Call], durability: Durability = APPLIED) -> list[Any]: ...
    def command(self, *parts: str | bytes | int | float, key: str | None = None) -> Any: ...
    def on_primaries(self, *parts: str | bytes | int | float) -> list[tuple[str, Any]]: ...
    def subscribe(self, channel: str) -> Hints: ...
    def certificate_expires(self) -> float: ...
    def ping(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Collection:
    """What does not change while a collection lives; and its label numbers and the bits of its generations, as far as known."""

    name: str
    segments: int
    incarnation: str
    labels: LabelNumbers
    bits: dict[str, int] = field(default_factory=dict)

    def call(self, function: str, *args: str | bytes | int, read_only: bool = False) -> Call:
        """A call of a function on the collection's own keys."""
        return Call(function, collection_keys(self.name), (self.incarnation, *args), read_only)

    def on(self, segment: int, function: str, *args: str | bytes | int, read_only: bool = False) -> Call:
        """A call of a function on a segment."""
        return Call(function, segment_keys(self.name, segment), (self.incarnation, *args), read_only)

    def everywhere(self, function: str, *args: str | bytes | int, read_only: bool = False) -> list[Call]:
        """The same call on every segment."""
        return [self.on(segment, function, *args, read_only=read_only) for segment in range(self.segments)]

    def token(self, positions: dict[int, int]) -> Token:
        """A token of this collection."""
        return Token(self.incarnation[:8], positions)


@dataclass(frozen=True)
class Known:
    """A generation as the collection knows it."""

    ref: GenerationRef
    state: State
    created: int
    sealed: str


@dataclass(frozen=True)
class Status:
    """Generations in the order in which they were begun, and the published ones, the current one first."""

    collection: str
    generations: dict[str, Known]
    history: tuple[str, ...]
    positions: tuple[int, ...]

    def known(self, generation_id: str) -> Known:
        """The generation.

        Raises:
            TaxohashError: there is none.
        """
        if generation_id not in self.generations:
            names = ", ".join(self.generations) or "none"
            raise TaxohashError(
                f"collection {self.collection!r} has no generation {generation_id!r} (it has: {names}): begin it first"
            )
        return self.generations[generation_id]

    def live(self, leased: Iterable[str]) -> set[str]:
        """Generations that writes of the API reach: all but those that were published before the last two and are not leased."""
        kept = {*self.history[:2], *leased}
        return {
            name
            for name, known in self.generations.items()
            if known.state in ("building", "sealed", "published")
            or (known.state == "retired" and name in kept)
        }


class CollectionReader:
    """Opens collections over one connection, each once, and calls their functions. The parts of the store build on it."""

    def __init__(self, connection: Server) -> None:
        self._connection = connection
        self._lanes = Lanes()
        self._collections: dict[str, Collection] = {}

    def _open(self, collection: str) -> Collection:
        if collection not in self._collections:
            call = Call("collection", collection_keys(check_name("collection", collection)), (), True)
            layout, segments, incarnation, made, taxonomy, restoring = self._connection.call(call)
            if layout is None:
                raise TaxohashError(
                    f"there is no collection {collection!r} in {self._connection.url}: create it first, or upgrade that of an older version"
                )
            if int(layout) != LAYOUT:
                raise TaxohashError(
                    f"collection {collection!r} has layout {int(layout)}, this program reads {LAYOUT}: use the version that made it"
                )
            if not made and restoring:
                raise TaxohashError(
                    f"collection {collection!r} is not restored to its end: restore it again from {restoring.decode()}"
                )
            if not made:
                raise TaxohashError(f"collection {collection!r} is not made to its end: create it again")
            labels = LabelNumbers.from_json(taxonomy.decode(), f"of collection {collection!r}")
            self._collections[collection] = Collection(
                collection, int(segments), incarnation.decode(), labels
            )
        return self._collections[collection]

    def _use(self, collection: str, work: Callable[[Collection], T]) -> T:
        """Work on an opened collection; once more where it was wiped and made anew since it was opened.

        Raises:
            StaleError: it is there, but a segment of it is not.
        """
        try:
            return work(self._open(collection))
        except StaleError:
            self._collections.pop(collection, None)
        try:
            return work(self._open(collection))
        except StaleError:
            raise StaleError(
                f"collection {collection!r} lacks a segment: its data were lost; restore it from a backup"
            ) from None

    def _same(self, collection: str, incarnation: str) -> Collection:
        """The collection, if it still is the one of this incarnation."""
        opened = self._open(collection)
        if opened.incarnation != incarnation:
            raise StaleError(f"collection {collection!r} was made anew: open it again")
        return opened

    def _call(self, call: Call) -> Any:
        return self._connection.call(call)

    def _call_all(self, calls: Sequence[Call]) -> list[Any]:
        return self._connection.call_all(calls)

    def _items(
        self, opened: Collection, ids: Sequence[str], generation_id: str | None
    ) -> list[Sequence[Any] | None]:
        """What lua/items.lua answers of each id, None where there is no such item."""
        found: list[Sequence[Any] | None] = [None] * len(ids)
        for parts in by_segment(segments_of(ids, opened.segments)):
            calls = [
                opened.on(
                    segment, "items", ended([ids[i] for i in indices]), generation_id or "", read_only=True
                )
                for segment, indices in parts.items()
            ]
            for indices, replies in zip(parts.values(), self._call_all(calls), strict=True):
                for i, reply in zip(indices.tolist(), replies, strict=True):
                    found[i] = reply
        return found

    def _write(
        self,
        opened: Collection,
        function: str,
        ids: Sequence[str],
        arguments: Callable[[npt.NDArray[np.int64]], Sequence[str | bytes | int]],
        write: WriteId | None,
        durability: Durability,
    ) -> Written:
        """Write a batch, each segment's part by one call a round.

        Args:
            arguments: of the items with these indices, after incarnation, writer and number.
        """
        words = np.empty(len(ids), object)
        positions: dict[int, int] = {}
        with self._lanes.lent(write) as turns:
            for turn, parts in zip(turns, by_segment(segments_of(ids, opened.segments)), strict=False):
                calls = []
                for segment, indices in parts.items():
                    own = arguments(indices)
                    calls.append(
                        opened.on(segment, function, turn.writer, turn.number_of(function, own), *own)
                    )
                try:
                    replies = self._connection.call_all(calls, durability)
                except TaxohashError:
                    opened.bits.clear()
                    raise
                for (segment, indices), (position, letters) in zip(parts.items(), replies, strict=True):
                    words[indices] = results(letters)
                    positions[segment] = max(positions.get(segment, 0), position)
        return Written(opened.token(positions), tuple(words.tolist()))

    def _checked(self, opened: Collection, items: Sequence[Item]) -> list[str]:
        """The ids of items that may be written.

        Raises:
            TaxohashError: there is none, one is refused, or is given twice.
        """

        def ids(labels: LabelNumbers) -> list[str]:
            return check_ids((check_item(item, range(labels.total)).id for item in items), empty=False)

        try:
            return ids(opened.labels)
        except TaxohashError:  # its taxonomy may have grown since it was opened
            self._collections.pop(opened.name, None)
            return ids(self._open(opened.name).labels)

    def _bits(self, opened: Collection, generation_id: str) -> int:
        """The bits of a generation's codes; asked for once.

        Raises:
            TaxohashError: there is no such generation.
        """
        if generation_id not in opened.bits:
            opened.bits[generation_id] = self._status(opened).known(generation_id).ref.bits
        return opened.bits[generation_id]

    def _codes_of(
        self, opened: Collection, generation_id: str, codes: npt.NDArray[np.uint8], count: int
    ) -> npt.NDArray[np.uint8]:
        """So many codes, which a generation can have.

        Raises:
            TaxohashError: there is no such generation, or it cannot have these.
        """
        what = f"codes of generation {generation_id!r}"
        try:
            return check(codes, self._bits(opened, generation_id), what, rows=count)
        except TaxohashError:  # one of this name may have been begun anew since it was asked for
            opened.bits.clear()
            return check(codes, self._bits(opened, generation_id), what, rows=count)

    def _steps(self, opened: Collection, function: str, *args: str | int) -> None:
        """Call a function on every segment, some blocks at a time, until each is through. It answers the next block."""
        after = [opened.on(segment, function, *args, 0, STEP_BLOCKS) for segment in range(opened.segments)]
        segments = list(range(opened.segments))
        while after:
            replies = self._call_all(after)
            left = [(segment, reply) for segment, reply in zip(segments, replies, strict=True) if reply != -1]
            segments = [segment for segment, _ in left]
            after = [opened.on(segment, function, *args, block, STEP_BLOCKS) for segment, block in left]

    def _status(self, opened: Collection) -> Status:
        history, positions, *generations = self._call(opened.call("status", read_only=True))
        found = {}
        for name, state, ref, sealed, created in generations:
            bits, taxonomy_sha256 = ref.decode().split()
            found[name.decode()] = Known(
                GenerationRef(name.decode(), int(bits), taxonomy_sha256),
                state.decode(),
                int(created),
                sealed.decode(),
            )
        return Status(
            opened.name,
            found,
            tuple(unended(history)),
            tuple(int(part) for part in positions.decode().split()),
        )
