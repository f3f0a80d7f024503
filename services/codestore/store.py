"""The code store: a catalog, generations of codes for it, and the one that is published.

A collection is spread over segments by a hash of the item id. In the slot of a segment are

    rows         hash   id -> row; rows are handed out in order and never reused
    ids:C        string ids of chunk C in the order of their rows, one a line
    labels:C     string int32 a row          times:C  string uint32 a row, Unix time of the last change
    uris, tags, thumbnails                   hashes row -> value, for rows that have one
    generations  hash   generation -> bits
    codes:G:C    string ceil(bits/8) bytes a row
    coded:G      string one bit a row: it has a code in G
    stream       one entry a write: operation, generation, runs of rows (uint32 first, uint32 length); no runs
                 means the whole segment. Entry ids are positions, 1-0, 2-0, ...: a gap means trimmed, so read a snapshot
    state        hash   rows, position

and in the slot of the collection its taxonomy, its generations, the history (a list whose head is the published
generation) and a stream of events. A follower takes a snapshot and reads every stream from the snapshot's position;
entries say what changed, the columns say to what. Removing an item is HDEL of its id from `rows`, clearing its bit in
`coded:G` of every generation, and a stream entry: its row stays empty until the segment is written anew.

An acknowledged write is applied by the server. What a crash can take back is the server's `appendfsync`: with `everysec`
about the last second if the machine crashes, and what came during a slow sync if the server does; nothing with `always`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from services.codestore.checks import check_codes, check_ids, check_item
from services.codestore.connection import Call, Connection
from services.codestore.keys import check_name, collection_key, segment_key, segments_of
from services.codestore.packing import batches, by_segment, lines, pack_items, unpack_item, unpack_segment
from services.codestore.values import GenerationRef, GenerationState, Item, Position, Snapshot
from taxohash.codes import code_bytes
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

LAYOUT = 1
MAX_SEGMENTS = 4096


@dataclass(frozen=True)
class _Collection:
    name: str
    segments: int
    taxonomy: Taxonomy

    @property
    def key(self) -> str:
        return collection_key(self.name)

    @property
    def segment_keys(self) -> list[str]:
        return [segment_key(self.name, segment) for segment in range(self.segments)]


@dataclass(frozen=True)
class _Status:
    generations: dict[str, tuple[GenerationRef, int]]
    history: tuple[str, ...]

    def ref(self, collection: str, generation_id: str) -> GenerationRef:
        if generation_id not in self.generations:
            known = ", ".join(self.generations) or "none"
            raise TaxohashError(
                f"collection {collection!r} has no generation {generation_id!r} (it has: {known}): begin it first"
            )
        return self.generations[generation_id][0]


class CodeStore:
    """Collections in one Redis, a replicated one or a cluster. Safe to share between threads.

    Raises (every method):
        StoreUnavailableError: the server does not answer as it should.
        TaxohashError: no such collection or generation, or the input is refused; the message says what to do.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._collections: dict[str, _Collection] = {}

    @classmethod
    def connect(cls, url: str, *, timeout: float = 30.0) -> "CodeStore":
        """Connect to redis://, rediss:// or unix://; a cluster is recognised. `timeout` is in seconds a call."""
        return cls(Connection(url, timeout))

    def __enter__(self) -> "CodeStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def ping(self) -> None:
        """Return when the server answers."""
        self._connection.ping()

    # -- collections ---------------------------------------------------------------------------

    def create(self, collection: str, taxonomy: Taxonomy, segments: int = 16) -> None:
        """Make a collection; nothing happens if it exists with this taxonomy and number of segments."""
        check_name("collection", collection)
        if not 1 <= segments <= MAX_SEGMENTS:
            raise TaxohashError(
                f"collection {collection!r} cannot have {segments} segments: choose 1 to {MAX_SEGMENTS}"
            )
        args = (LAYOUT, segments, taxonomy.sha256, taxonomy.to_json())
        self._connection.call(Call("create", collection_key(collection), args))

    def taxonomy(self, collection: str) -> Taxonomy:
        """The taxonomy the collection was made with."""
        return self._open(collection).taxonomy

    def _open(self, collection: str) -> _Collection:
        if collection not in self._collections:
            key = collection_key(check_name("collection", collection))
            layout, segments, taxonomy = self._connection.call(Call("collection", key, read_only=True))
            if layout is None:
                raise TaxohashError(
                    f"there is no collection {collection!r} in {self._connection.url}: create it first"
                )
            if int(layout) != LAYOUT:
                raise TaxohashError(
                    f"collection {collection!r} has layout {int(layout)}, this program reads {LAYOUT}: use the version that made it"
                )
            tree = Taxonomy.from_json(taxonomy.decode(), f"of collection {collection!r}")
            self._collections[collection] = _Collection(collection, int(segments), tree)
        return self._collections[collection]

    # -- catalog -------------------------------------------------------------------------------

    def put_items(self, collection: str, items: Iterable[Item]) -> int:
        """Add items, or replace those whose id is known; how many were new.

        Written in batches as the iterable is read; a refused item leaves the batches before it.
        """
        opened = self._open(collection)
        labels = len(opened.taxonomy)
        added = 0
        for batch in batches(check_item(item, labels) for item in items):
            latest = list({item.id: item for item in batch}.values())
            segments = segments_of([item.id for item in latest], opened.segments)
            calls = [
                Call("put_items", segment_key(collection, segment), pack_items([latest[i] for i in indices]))
                for segment, indices in by_segment(segments)
            ]
            added += sum(new for _position, new in self._connection.call_all(calls))
        return added

    def item(self, collection: str, item_id: str) -> Item | None:
        """The catalog's entry, or None."""
        reply = self._connection.call(self._of_item("item", collection, item_id))
        return None if reply is None else unpack_item(item_id, reply)

    def thumbnail(self, collection: str, item_id: str) -> bytes | None:
        """The thumbnail's bytes; None when the item or its thumbnail is not there."""
        reply: bytes | None = self._connection.call(self._of_item("thumbnail", collection, item_id))
        return reply

    def _of_item(self, function: str, collection: str, item_id: str) -> Call:
        check_ids([item_id])
        segment = segments_of([item_id], self._open(collection).segments)[0]
        return Call(function, segment_key(collection, int(segment)), (item_id,), read_only=True)

    # -- codes ---------------------------------------------------------------------------------

    def begin(self, collection: str, ref: GenerationRef) -> None:
        """Register a generation as staged; nothing happens if it is registered with the same bits."""
        opened = self._open(collection)
        check_name("generation id", ref.id)
        if not 1 <= ref.bits <= 4096:
            raise TaxohashError(f"generation {ref.id!r} has {ref.bits} bits: choose 1 to 4096")
        self._connection.call(Call("begin", opened.key, (ref.id, ref.bits, ref.taxonomy_sha256)))
        self._connection.call_all(
            [Call("begin_segment", key, (ref.id, ref.bits)) for key in opened.segment_keys]
        )

    def put_codes(
        self, collection: str, generation_id: str, ids: Iterable[str], codes: npt.NDArray[np.uint8]
    ) -> Position:
        """Write the codes uint8[N, ceil(bits/8)] of catalogued items; a known code is overwritten.

        Returns:
            The position that a snapshot must have reached to hold these codes; 0 in segments not written.

        Each segment is written atomically, in steps of some thousand items.
        """
        opened = self._open(collection)
        bits = self._status(opened).ref(collection, generation_id).bits
        listed = check_ids(ids)
        codes = check_codes(listed, codes, bits)
        parts = [
            (
                segment,
                segment_key(collection, segment),
                lines([listed[i] for i in indices]),
                codes[indices].tobytes(),
            )
            for segment, indices in by_segment(segments_of(listed, opened.segments))
        ]
        if len(parts) > 1:  # a single part is checked where it is written
            self._require_items(
                [Call("missing", key, (names,), read_only=True) for _, key, names, _ in parts]
            )
        calls = [Call("put_codes", key, (generation_id, bits, names, data)) for _, key, names, data in parts]
        position = [0] * opened.segments
        for (segment, *_), reached in zip(parts, self._connection.call_all(calls), strict=True):
            position[segment] = max(position[segment], reached)
        return tuple(position)

    def _require_items(self, lookups: Sequence[Call]) -> None:
        replies = [(count, first) for count, first in self._connection.call_all(lookups) if count]
        if replies:
            count = sum(count for count, _ in replies)
            raise TaxohashError(
                f"{count} of the ids are not in the catalog, one is {replies[0][1].decode()}: put the items first"
            )

    def snapshot(self, collection: str, generation_id: str | None = None) -> Snapshot:
        """All codes of a generation, of the published one by default. Each segment is read atomically."""
        opened = self._open(collection)
        status = self._status(opened)
        if generation_id is None:
            if not status.history:
                raise TaxohashError(
                    f"collection {collection!r} has no published generation: publish one first"
                )
            generation_id = status.history[0]
        ref = status.ref(collection, generation_id)
        width = code_bytes(ref.bits)
        calls = [Call("snapshot", key, (ref.id, ref.bits), read_only=True) for key in opened.segment_keys]
        replies = self._connection.call_all(calls)
        columns = [unpack_segment(width, *columns) for _position, *columns in replies]
        ids = [item_id for names, _, _ in columns for item_id in names]
        return Snapshot(
            generation=ref,
            ids=np.array(ids, object),
            labels=np.concatenate([labels for _, labels, _ in columns]).astype(np.int32, copy=False),
            codes=np.concatenate([codes for _, _, codes in columns]),
            position=tuple(int(reply[0]) for reply in replies),
        )

    def count(self, collection: str, generation_id: str | None = None) -> int:
        """Items in the catalog, or those of them with a code in a generation."""
        opened = self._open(collection)
        if generation_id is None:
            return self._counts(opened, [])[0]
        self._status(opened).ref(collection, generation_id)
        return self._counts(opened, [generation_id])[1]

    def _counts(self, opened: _Collection, generation_ids: Sequence[str]) -> list[int]:
        calls = [Call("counts", key, tuple(generation_ids), read_only=True) for key in opened.segment_keys]
        return [sum(column) for column in zip(*self._connection.call_all(calls), strict=True)]

    # -- generations ---------------------------------------------------------------------------

    def publish(self, collection: str, generation_id: str) -> str | None:
        """Serve this generation from now on; the one that was served before it, or None.

        Refused while an item of the catalog has no code in it. Items added later are found once they have one.
        """
        opened = self._open(collection)
        self._status(opened).ref(collection, generation_id)
        items, codes = self._counts(opened, [generation_id])
        if codes < items:
            raise TaxohashError(
                f"generation {generation_id!r} lacks the codes of {items - codes} of the {items} items"
                f" in {collection!r}: put their codes first"
            )
        previous: bytes | None = self._connection.call(Call("publish", opened.key, (generation_id,)))
        return None if previous is None else previous.decode()

    def rollback(self, collection: str) -> str:
        """Serve the generation published before the current one again; its id.

        Items that were added since and have no code in it are not found until they get one.
        """
        opened = self._open(collection)
        history = self._status(opened).history
        if len(history) < 2:
            current = f"only {history[0]!r}" if history else "nothing"
            raise TaxohashError(
                f"collection {collection!r} has {current} published: there is none to roll back to"
            )
        self._connection.call(Call("rollback", opened.key, history[:2]))
        return history[1]

    def published(self, collection: str) -> GenerationRef | None:
        """The generation that is served, or None."""
        status = self._status(self._open(collection))
        return status.ref(collection, status.history[0]) if status.history else None

    def history(self, collection: str) -> list[str]:
        """Published generations, the current one first: the way that rollback goes."""
        return list(self._status(self._open(collection)).history)

    def generations(self, collection: str) -> list[GenerationState]:
        """All generations, the oldest first."""
        opened = self._open(collection)
        status = self._status(opened)
        known = sorted(status.generations.values(), key=lambda pair: (pair[1], pair[0].id))
        counts = self._counts(opened, [ref.id for ref, _ in known])[1:]
        current, earlier = status.history[:1], status.history[1:]
        return [
            GenerationState(
                ref=ref,
                codes=codes,
                state="published" if ref.id in current else "retired" if ref.id in earlier else "staged",
                created=created,
            )
            for (ref, created), codes in zip(known, counts, strict=True)
        ]

    def discard(self, collection: str, generation_id: str) -> None:
        """Delete a generation's codes; never those of the published one. Interrupted, it can be called again."""
        opened = self._open(collection)
        check_name("generation id", generation_id)
        self._connection.call(Call("discard", opened.key, (generation_id,)))
        self._connection.call_all([Call("drop", key, (generation_id,)) for key in opened.segment_keys])
        self._connection.call(Call("forget", opened.key, (generation_id,)))

    def _status(self, opened: _Collection) -> _Status:
        flat, history = self._connection.call(Call("status", opened.key, read_only=True))
        generations: dict[str, tuple[GenerationRef, int]] = {}
        for name, value in zip(flat[::2], flat[1::2], strict=True):
            bits, taxonomy_sha256, created = value.decode().split()
            generations[name.decode()] = (
                GenerationRef(name.decode(), int(bits), taxonomy_sha256),
                int(created),
            )
        return _Status(generations, tuple(name.decode() for name in history))
