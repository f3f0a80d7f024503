"""The image of a segment: all its fields that carry a checksum, as they were at one position, though it is written meanwhile.

It is read by pages of some blocks, then what was written since the first page is read again, until nothing is left: the
last page tells what the segment said of itself at that moment, its checksums among it. A block that comes again replaces
what came of it before, so whoever reads holds a page at a time, and as little of each as it needs.
"""

import secrets
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.codestore.checksums import API_ITEMS, CATALOG_KINDS, NO_BLOCK, block_of
from services.codestore.collection import LAYOUT, STEP_BLOCKS, Collection, CollectionReader, Status
from services.codestore.connection import Call, StoreUnavailableError
from services.codestore.keys import check_name, collection_keys
from services.codestore.labels import LabelNumbers
from services.codestore.records import GenerationRef
from services.codestore.wire import ended, unended
from taxohash.errors import TaxohashError

_LIVE = "live"
_SCANNED = 500  # fields of a step
_STARTS = (
    5  # readings from the start, as the history of a segment that is written a lot may be shorter than one
)

_PAGE_BLOCKS = 12  # of a call: one or two milliseconds of the server's time


@dataclass(frozen=True)
class Held:
    """A generation in a segment; for its state see lua/upkeep.lua."""

    bits: int
    state: str


@dataclass(frozen=True)
class SegmentState:
    """What a segment says of itself. Numbers that are damaged are -1.

    Attributes:
        position: writes.
        last: position of the last entry of its history.
        open: for each block the number of its free rows, as a character from "0" on.
        fields: how many it has of all.
        own: how many of these say something of the segment, not of an item.
        generations: by id, without that of the API's own items.
        items, deleted: how many there are, and ids that were deleted by hand.
        members, codes, sums: by kind; API_ITEMS has all three.
        missed: of retired generations, the position since which writes of the API did not reach them.
    """

    position: int
    last: int
    open: bytes
    fields: int
    own: int
    generations: Mapping[str, Held]
    items: int
    deleted: int
    members: Mapping[str, int]
    codes: Mapping[str, int]
    sums: Mapping[str, int]
    missed: Mapping[str, int]

    @property
    def blocks(self) -> int:
        """Of 74 rows."""
        return len(self.open)


@dataclass(frozen=True)
class Page:
    """Some blocks of a segment as they were at one position.

    Attributes:
        blocks: all of these are meant, also those without a field; NO_BLOCK for what was deleted by hand.
        fields: their fields with checksums.
        lost: ids of theirs that the index does not lead to.
        state: of the segment, with the last page.
    """

    blocks: tuple[int, ...]
    fields: Mapping[bytes, bytes]
    lost: tuple[str, ...] = ()
    state: SegmentState | None = None

    def by_block(self) -> dict[int, dict[bytes, bytes]]:
        """The fields of each of its blocks."""
        found: dict[int, dict[bytes, bytes]] = {block: {} for block in self.blocks}
        for name, value in self.fields.items():
            found[block_of(name)][name] = value
        return found


class Images(CollectionReader):
    """Segments as they are, for those who check, copy or mend them."""

    def described(self, collection: str) -> tuple[Collection, Status]:
        """What the collection's own keys say: segments, label numbers, generations, and what is published."""
        self._collections.pop(collection, None)

        def work(opened: Collection) -> tuple[Collection, Status]:
            return opened, self._status(opened)

        return self._use(collection, work)

    def pages(self, opened: Collection, segment: int) -> Iterator[Page]:
        """The image of a segment. Each page is one call of about a millisecond of the server's time.

        Raises:
            StaleError: the collection is of another incarnation, or the segment is lost.
            StoreUnavailableError: it is written faster than it can be read.
        """
        for _ in range(_STARTS):
            position = yield from self._all_pages(opened, segment)
            skipped = 0
            while True:
                call = opened.on(segment, "raw_changes", position, skipped, _PAGE_BLOCKS, read_only=True)
                answer = self._call(call)
                if answer[0] == b"TRIMMED":
                    break
                position, skipped, page = _changed(answer)
                yield page
                if page.state:
                    return
        raise StoreUnavailableError(
            f"segment {segment} of collection {opened.name!r} is written faster than it can be read: try again"
        )

    # -- images are put -------------------------------------------------------------------------------

    def make_restored(self, collection: str, segments: int, labels: LabelNumbers, source: str) -> Collection:
        """A collection that nobody can open before `open_restored`; the one that was begun from the same source, if there is one.

        Raises:
            TaxohashError: there is a collection of this name.
        """
        keys = collection_keys(check_name("collection", collection))
        args = (secrets.token_hex(16), LAYOUT, segments, labels.to_json(), source)
        incarnation, made = self._connection.call(Call("make", keys, args))
        if made:
            raise TaxohashError(
                f"there is a collection {collection!r} already: restore under another name, or repair it"
            )
        opened = Collection(collection, segments, incarnation.decode(), labels)
        self._call_all(
            [Call("make_segment", opened.on(i, "").keys, (opened.incarnation,)) for i in range(segments)]
        )
        return opened

    def put_fields(
        self, opened: Collection, segment: int, fields: Mapping[bytes, bytes], expected: int | None = None
    ) -> None:
        """Fields as an image has them; an empty value removes one. `settle` must follow.

        Raises:
            TaxohashError: the segment is not at the position `expected`.
        """
        flat = [part for pair in fields.items() for part in pair]
        self._call(opened.on(segment, "restore_raw", "" if expected is None else expected, *flat))

    def settle(
        self,
        opened: Collection,
        segment: int,
        position: int,
        blocks: int,
        generations: Mapping[str, Held],
        sums: Mapping[str, int],
        expected: int | None = None,
    ) -> None:
        """What a segment says of itself, after its fields were put: index of ids, counts, checksums, and a position above this.

        Followers load it anew.

        Raises:
            TaxohashError: the segment is not at the position `expected`.
        """
        held = {**generations, API_ITEMS: Held(0, _LIVE)}
        flat = [
            part
            for kind, own in held.items()
            for part in (kind, str(own.bits), own.state, str(sums.get(kind, 0)))
        ]
        others = [sums.get(kind, 0) for kind in CATALOG_KINDS]
        guard = "" if expected is None else expected
        block = 0
        while block != -1:
            call = opened.on(
                segment, "settle", position, blocks, ended(flat), *others, block, STEP_BLOCKS, guard
            )
            block = self._call(call)

    def all_fields(self, opened: Collection, segment: int) -> tuple[int, dict[bytes, bytes]]:
        """Position (-1 where it is damaged) and all fields of a segment, whether anything leads to them or not.

        Raises:
            StoreUnavailableError: it is written all the time.
        """
        key = opened.on(segment, "").keys[0]
        for _ in range(_STARTS):
            before = self._connection.command("HGET", key, "position", key=key)
            fields: dict[bytes, bytes] = {}
            cursor = b"0"
            while True:
                cursor, flat = self._connection.command("HSCAN", key, cursor, "COUNT", _SCANNED, key=key)
                fields |= _pairs(flat)
                if cursor == b"0":
                    break
            if (
                fields.get(b"position")
                == before
                == self._connection.command("HGET", key, "position", key=key)
            ):
                return _number(before or b"0"), fields
        raise StoreUnavailableError(
            f"segment {segment} of collection {opened.name!r} is written all the time: stop its writers, then try again"
        )

    def last_entry(self, opened: Collection, segment: int) -> int:
        """Position of the last write in the history of a segment; 0 where it was trimmed."""
        key = opened.on(segment, "").keys[1]
        entries = self._connection.command("XREVRANGE", key, "+", "-", "COUNT", 1, key=key)
        return int(entries[0][0].split(b"-")[0]) if entries else 0

    def open_restored(self, opened: Collection, ref: GenerationRef, sealed: str | None) -> None:
        """Let a restored collection be opened, with its generation; sealed where it is said what was counted."""
        self._call(opened.call("begin", ref.id, f"{ref.bits} {ref.taxonomy_sha256}"))
        if sealed is not None:
            self._call(opened.call("seal", ref.id, sealed))
        self._call(opened.call("made"))

    # -- parts -----------------------------------------------------------------------------------------

    def _all_pages(self, opened: Collection, segment: int) -> Generator[Page, None, int]:
        """All pages once; the position of the first."""
        first, total, since = 0, 1, -1
        while first < total:
            call = opened.on(segment, "raw", first, _PAGE_BLOCKS, read_only=True)
            position, total, lost, *fields = self._call(call)
            since = position if since < 0 else since
            blocks = range(first, min(first + _PAGE_BLOCKS, total))
            yield Page(tuple(blocks), _pairs(fields), tuple(unended(lost)))
            first += _PAGE_BLOCKS
        return since


def _changed(answer: Any) -> tuple[int, int, Page]:
    """Position up to which was read, blocks read of the write after it, and the page, in an answer of raw_changes."""
    _word, position, skipped, latest, numbers, lost, last, count, own, fields = answer
    blocks = tuple(np.frombuffer(numbers, "<u4").tolist())
    if position < latest:
        return position, skipped, Page(blocks, _pairs(fields), tuple(unended(lost)))
    state = _state(position, last, count, _pairs(own))
    return position, 0, Page((*blocks, NO_BLOCK), _pairs(fields), tuple(unended(lost)), state)


def _state(position: int, last: int, fields: int, own: Mapping[bytes, bytes]) -> SegmentState:
    def number(name: str) -> int:
        return _number(own.get(name.encode(), b"0"))

    held = held_in(own.get(b"generations", b""))
    kinds = [API_ITEMS, *held]
    return SegmentState(
        position=position,
        last=last,
        open=own.get(b"open", b""),
        fields=fields,
        own=len(own),
        generations=held,
        items=number("alive"),
        deleted=number("deleted"),
        members={kind: number(f"members:{kind}") for kind in kinds},
        codes={kind: number(f"coded:{kind}") for kind in kinds},
        sums={kind: number(f"sum:{kind}") for kind in (*CATALOG_KINDS, *kinds)},
        missed={kind: number(f"missing:{kind}") for kind in held if f"missing:{kind}".encode() in own},
    )


def held_in(text: bytes) -> dict[str, Held]:
    """The generations of a segment, from what it says of them."""
    flat = unended(text)
    return {
        name: Held(int(bits) if bits.isdecimal() else -1, word)
        for name, bits, word in zip(flat[::3], flat[1::3], flat[2::3], strict=False)
    }


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else -1


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
