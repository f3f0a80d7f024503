"""Codes of a collection's generations: they are written, looked for and read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from services.codestore.checks import check_ids, check_items, check_revisions
from services.codestore.collection import Collection, CollectionReader
from services.codestore.connection import APPLIED, Durability
from services.codestore.follower.errors import GoneError, TrimmedError
from services.codestore.records import Changes, Columns, Item, ItemLabels, Snapshot, Written
from services.codestore.wire import (
    BLOCK,
    ended,
    pack_items,
    unended,
    unpack_changes,
    unpack_columns,
)
from services.codestore.writers import WriteId
from taxohash.errors import TaxohashError

PAGE_BLOCKS = 128  # of a page: 9,472 rows


class StoredCodes(CollectionReader):
    """Codes of a collection's generations."""

    def fill(
        self,
        collection: str,
        generation_id: str,
        items: Iterable[Item],
        codes: npt.NDArray[np.uint8] | None = None,
        *,
        write: WriteId | None = None,
        durability: Durability = APPLIED,
    ) -> Written:
        """Make items of a data version members of a generation that is being built, and of no other.

        What the catalogue says of an item that it knows is seen through this generation only, until the older ones are gone.

        Args:
            codes: uint8[items, ceil(bits/8)]; without them, a backfill encodes the items.

        Returns:
            Of each item "added" or "replaced"; "kept" where the API has an item of this id; "deleted" where one was deleted by
            hand. The latter two are left out, but for the code of one that is kept and whose picture the API has not set.
        """
        listed = check_items(items)

        def work(opened: Collection) -> Written:
            ids = self._checked(opened, listed)
            own = None if codes is None else self._codes_of(opened, generation_id, codes, len(ids))
            bits = self._bits(opened, generation_id)

            def arguments(indices: npt.NDArray[np.int64]) -> list[str | bytes | int]:
                batch = pack_items([listed[i] for i in indices], encodable=True)
                return [generation_id, bits, *batch, b"" if own is None else own[indices].tobytes()]

            return self._write(opened, "fill", ids, arguments, write, durability)

        return self._use(collection, work)

    def put_codes(
        self,
        collection: str,
        generation_id: str,
        ids: Iterable[str],
        codes: npt.NDArray[np.uint8],
        revisions: Sequence[int] | None = None,
        *,
        write: WriteId | None = None,
        durability: Durability = APPLIED,
    ) -> Written:
        """Write the codes uint8[N, ceil(bits/8)] of items; a known code is overwritten.

        Args:
            revisions: of the pictures that the codes were made of: a code of a picture that is another by now is left out.

        Returns:
            Of each item "coded", "absent", "no member" (of the generation), or "changed" (its picture).
        """
        listed = check_ids(ids, empty=False)
        made_of = None if revisions is None else check_revisions(revisions, len(listed))

        def work(opened: Collection) -> Written:
            own = self._codes_of(opened, generation_id, codes, len(listed))
            bits = self._bits(opened, generation_id)

            def arguments(indices: npt.NDArray[np.int64]) -> list[str | bytes | int]:
                return [
                    generation_id,
                    bits,
                    ended([listed[i] for i in indices]),
                    b"" if made_of is None else made_of[indices].tobytes(),
                    own[indices].tobytes(),
                ]

            return self._write(opened, "put_codes", listed, arguments, write, durability)

        return self._use(collection, work)

    # -- reading whole generations -----------------------------------------------------------------

    def page(
        self,
        collection: str,
        generation_id: str,
        segment: int,
        first_block: int,
        blocks: int = PAGE_BLOCKS,
        *,
        incarnation: str,
    ) -> Columns:
        """Some blocks of 74 rows of a segment.

        Raises:
            GoneError: the generation was dropped.
            StaleError: the collection is of another incarnation.
        """
        opened = self._same(collection, incarnation)
        call = opened.on(segment, "page", generation_id, first_block, blocks, read_only=True)
        word, *columns = self._call(call)
        if word == b"GONE":
            raise GoneError(
                f"generation {generation_id!r} of collection {collection!r} was dropped: follow another"
            )
        return unpack_columns(segment, None, first_block * BLOCK, columns)

    def changes(
        self,
        collection: str,
        generation_id: str,
        segment: int,
        since: int,
        seen: Sequence[tuple[int, int]],
        *,
        incarnation: str,
    ) -> Changes:
        """The rows that were written after the position `since`, as they are now.

        Args:
            seen: positions and their stamps, at which rows were read before.

        Raises:
            TrimmedError: the history since then, or one of `seen`, is not there: read the segment anew.
            GoneError: the generation was dropped.
            StaleError: the collection is of another incarnation.
        """
        opened = self._same(collection, incarnation)
        marks = [part for mark in seen for part in mark]
        word, *reply = self._call(opened.on(segment, "changes", generation_id, since, *marks, read_only=True))
        if word == b"TRIMMED":
            raise TrimmedError(
                f"segment {segment} of collection {collection!r} does not know what was written since {since}: read it anew"
            )
        if word == b"GONE":
            raise GoneError(
                f"generation {generation_id!r} of collection {collection!r} was dropped: follow another"
            )
        return unpack_changes(segment, reply)

    def snapshot(self, collection: str, generation_id: str | None = None) -> Snapshot:
        """All items with their codes in a generation, of the published one by default. Each segment is as it was at one position."""
        return self._use(collection, lambda opened: self._snapshot(opened, generation_id))

    def _snapshot(self, opened: Collection, generation_id: str | None) -> Snapshot:
        status = self._status(opened)
        if generation_id is None:
            if not status.history:
                raise TaxohashError(
                    f"collection {opened.name!r} has no published generation: publish one first"
                )
            generation_id = status.history[0]
        ref = status.known(generation_id).ref
        segments = [self._segment(opened, ref.id, segment) for segment in range(opened.segments)]
        row = np.concatenate(
            [whole.rows * opened.segments + segment for segment, whole in enumerate(segments)]
        )
        order = np.argsort(row)
        return Snapshot(
            generation=ref,
            ids=np.concatenate([whole.ids for whole in segments])[order],
            labels=ItemLabels.joined([whole.labels for whole in segments]).taken(order),
            codes=np.concatenate([whole.codes for whole in segments])[order],
            position=tuple(whole.position for whole in segments),
        )

    def _segment(self, opened: Collection, generation_id: str, segment: int) -> "_Segment":
        """The coded members of a segment at one position: all pages, then what was written since the first."""
        read = partial(self.page, opened.name, generation_id, segment, incarnation=opened.incarnation)
        first = read(0)
        parts = [first]
        for block in range(PAGE_BLOCKS, first.total // BLOCK, PAGE_BLOCKS):
            parts.append(read(block))
        position, marks = first.position, {(part.position, part.stamp) for part in parts}
        while position < max(part.position for part in parts):
            try:
                changed = self.changes(
                    opened.name,
                    generation_id,
                    segment,
                    position,
                    sorted(marks),
                    incarnation=opened.incarnation,
                )
            except TrimmedError:
                return self._segment(opened, generation_id, segment)
            parts.append(changed.columns)
            position = changed.until
        return _Segment.of(parts)


@dataclass(frozen=True, eq=False)
class _Segment:
    """The coded members of a segment: rows int64[n] ascending, ids object[n], labels, codes uint8[n, width]."""

    position: int
    rows: npt.NDArray[np.int64]
    ids: npt.NDArray[np.object_]
    labels: ItemLabels
    codes: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, parts: Sequence[Columns]) -> "_Segment":
        """From what was read, the last reading of a row counting, and only rows that were there at the end."""
        rows = np.concatenate([part.rows for part in parts])
        found = np.concatenate([part.member & part.coded for part in parts])
        _, from_the_end = np.unique(rows[::-1], return_index=True)
        last = len(rows) - 1 - from_the_end
        chosen = last[found[last] & (rows[last] < parts[-1].total)]
        ids = [item_id for part in parts for item_id in unended(part.ids)]
        return cls(
            position=parts[-1].position,
            rows=rows[chosen],
            ids=np.array([ids[i] for i in chosen.tolist()], object),
            labels=ItemLabels.joined([part.labels for part in parts]).taken(chosen),
            codes=np.concatenate([part.codes for part in parts])[chosen],
        )
