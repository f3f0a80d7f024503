"""Packed codes of catalogued items, generation by generation."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.checks import check_ids
from services.codestore.collection import CollectionReader
from services.codestore.connection import Call
from services.codestore.keys import check_name, segment_key, segments_of
from services.codestore.records import GenerationRef, ItemLabels, Position, Snapshot
from services.codestore.wire import by_segment, ended, unpack_segment
from taxohash.codes import check, code_bytes
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown


class StoredCodes(CollectionReader):
    """Codes of a collection's generations."""

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
        codes = check(codes, bits, f"codes of {len(listed)} ids", rows=len(listed))
        parts = [
            (
                segment,
                segment_key(collection, segment),
                ended([listed[i] for i in indices]),
                codes[indices].tobytes(),
            )
            for segment, indices in by_segment(segments_of(listed, opened.segments))
        ]
        if len(parts) > 1:  # a single part is checked where it is written
            lookups = [Call("missing", key, (names,), read_only=True) for _, key, names, _ in parts]
            _refuse_missing(self._connection.call_all(lookups))
        calls = [Call("put_codes", key, (generation_id, bits, names, data)) for _, key, names, data in parts]
        replies = self._connection.call_all(calls)
        _refuse_missing([lacks for _, *lacks in replies])
        position = [0] * opened.segments
        for (segment, *_), (reached, *_) in zip(parts, replies, strict=True):
            position[segment] = max(position[segment], reached)
        return tuple(position)

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
        ids = [item_id for names, *_ in columns for item_id in names]
        flat, counts = (np.concatenate([column[part] for column in columns]) for part in (1, 2))
        return Snapshot(
            generation=ref,
            ids=np.array(ids, object),
            labels=ItemLabels.of(flat.astype(np.int32, copy=False), counts),
            codes=np.concatenate([codes for *_, codes in columns]),
            position=tuple(int(reply[0]) for reply in replies),
        )

    def count(self, collection: str, generation_id: str | None = None) -> int:
        """Items in the catalog, or those of them with a code in a generation."""
        opened = self._open(collection)
        if generation_id is None:
            return self._counts(opened, [])[0]
        self._status(opened).ref(collection, generation_id)
        return self._counts(opened, [generation_id])[1]


def _refuse_missing(replies: Sequence[Sequence[Any]]) -> None:
    """Refuse ids that segments lack; each has said how many, and the first of them."""
    lacking = [(count, first) for count, first in replies if count]
    if lacking:
        count = sum(count for count, _ in lacking)
        raise TaxohashError(
            f"{count} of the ids are not in the catalog, one is {shown(lacking[0][1].decode())}: put the items first"
        )
