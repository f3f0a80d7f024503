"""Batches as the server-side functions take them, and their replies back in arrays. Pure.

Texts travel one after the other, each ended by a byte that UTF-8 never has, numbers as little-endian columns: a batch is
a handful of arguments, however many items it has.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.records import Changes, Columns, Edit, HeldItem, Item, ItemLabels, Lacking

Labels = npt.NDArray[np.int32]

BLOCK = 74  # rows of a block, as in lua/fields.lua
PART_ITEMS = 500  # items of one call; keeps the server busy for a few milliseconds
NO_LABEL = -1  # in the column of labels: the item has several, or none
NO_RECORD = b"\xff" * 4

_ALIVE, _API, _ENCODABLE = 1, 2, 16
_MEMBER, _CODED, _PICTURED = 1, 2, 16
_RESULTS = {
    "n": "added", "r": "replaced", "k": "kept", "d": "deleted", "a": "absent", "c": "coded", "m": "no member", "x": "changed",
}  # fmt: skip


def ended(texts: Sequence[str]) -> bytes:
    """Each text in UTF-8, ended by the byte 0xff, which no UTF-8 has: the texts may contain anything."""
    return b"".join([text.encode() + b"\xff" for text in texts])


def unended(data: bytes) -> list[str]:
    """Inverse of `ended`."""
    return data.decode(errors="surrogateescape").split("\udcff")[:-1]  # quicker than a text at a time


def by_segment(segments: npt.NDArray[np.int64]) -> Iterator[dict[int, npt.NDArray[np.int64]]]:
    """Rounds that have each segment at most once, with at most PART_ITEMS of its indices, in their order."""
    order = np.argsort(segments, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(segments[order])) + 1) if len(order) else []
    for first in range(0, max(map(len, groups), default=0), PART_ITEMS):
        yield {
            int(segments[group[0]]): group[first : first + PART_ITEMS]
            for group in groups
            if len(group) > first
        }


def pieces(parts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Lengths as uint32 and the parts one after the other; nothing if all are empty."""
    return np.array([len(part) for part in parts], "<u4").tobytes() if any(parts) else b"", b"".join(parts)


def unpieces(lengths: bytes, data: bytes, count: int) -> list[bytes]:
    """Inverse of `pieces` for `count` parts."""
    if not lengths:
        return [b""] * count
    ends = np.cumsum(np.frombuffer(lengths, "<u4"), dtype=np.int64).tolist()
    return [data[first:last] for first, last in zip([0, *ends], ends, strict=False)]


def results(letters: bytes) -> tuple[str, ...]:
    """The words that the letters of a write's answer stand for."""
    return tuple(_RESULTS[letter] for letter in letters.decode())


def pack_items(items: Sequence[Item], encodable: bool = False) -> tuple[bytes, ...]:
    """A batch of items; `encodable`: they have pictures in a data set."""
    return (
        ended([item.id for item in items]),
        *_pack_labels([item.labels for item in items]),
        *pieces([_record(item) for item in items]),
        *_pack_tags([item.tags for item in items]),
        bytes(encodable or bool(item.picture or item.uri) for item in items),
    )


def pack_edits(edits: Sequence[Edit]) -> tuple[bytes, ...]:
    """A batch of changes of items."""
    return (
        ended([edit.id for edit in edits]),
        *_pack_labels([edit.labels or () for edit in edits]),
        *_pack_tags([edit.tags or () for edit in edits]),
        bytes((edit.labels is not None) + 2 * (edit.tags is not None) for edit in edits),
    )


def _pack_labels(labels: Sequence[tuple[int, ...]]) -> tuple[bytes, bytes, bytes]:
    single = np.array([own[0] if len(own) == 1 else NO_LABEL for own in labels], "<i4").tobytes()
    return single, *pieces([np.array(own, "<i4").tobytes() if len(own) > 1 else b"" for own in labels])


def _pack_tags(tags: Sequence[tuple[str, ...]]) -> tuple[bytes, bytes]:
    return pieces(["\t".join(own).encode() for own in tags])


def _record(item: Item) -> bytes:
    values = json.dumps(dict(item.metadata), ensure_ascii=False, sort_keys=True) if item.metadata else ""
    # Named values are an object, or nothing: so what stands before its brace is the hash of pixels, and records of before there
    # was one are those of items without.
    record = ended([item.uri, item.picture, item.thumbnail, item.pixels + values])
    return b"" if record == NO_RECORD else record


def unpack_item(item_id: str, reply: Sequence[Any]) -> Item:
    """The item in a reply of items."""
    flags, updated, revision, record, tags, _own, label, labels, *_ = reply
    uri, picture, thumbnail, values = unended(record or NO_RECORD)
    pixels, brace, metadata = values.partition("{")
    single = np.frombuffer(label, "<i4")
    return Item(
        id=item_id,
        labels=tuple((np.frombuffer(labels, "<i4") if single[0] == NO_LABEL else single).tolist()),
        uri=uri,
        picture=picture,
        thumbnail=thumbnail,
        pixels=pixels,
        metadata=json.loads(brace + metadata) if brace else {},
        tags=tuple(tags.decode().split("\t")) if tags else (),
        origin="api" if flags & _API else "data",
        updated=int(np.frombuffer(updated, "<u4")[0]),
        revision=int(np.frombuffer(revision, "<u4")[0]),
    )


def is_member(reply: Sequence[Any]) -> bool:
    """Whether the item in a reply of items belongs to the generation that was asked for."""
    return bool(reply[5] & _MEMBER)


def lacks_code(reply: Sequence[Any]) -> bool:
    """Whether the item in a reply of items belongs to the generation that was asked for, and has no code there."""
    return bool(reply[5] & (_MEMBER | _CODED) == _MEMBER)


def unpack_held(item_id: str, reply: Sequence[Any]) -> HeldItem:
    """The item in a reply of items as the generation that was asked for has it."""
    return HeldItem(unpack_item(item_id, reply), np.frombuffer(reply[8], np.uint8), has_picture(reply))


def has_picture(reply: Sequence[Any]) -> bool:
    """Whether the item in a reply of items has a picture somewhere, as far as the catalogue and the generation know."""
    return bool(reply[0] & _ENCODABLE or reply[5] & _PICTURED)


def unpack_columns(
    segment: int, rows: npt.NDArray[np.int64] | None, first: int, reply: Sequence[Any]
) -> Columns:
    """Columns from (position, stamp, total, bytes of a code, flags, own flags, ids, labels, set lengths, sets, codes, tag lengths, tags,
    fingerprints).

    Args:
        rows: of the reply; None for consecutive ones from `first`.
    """
    position, stamp, total, width, flags, own, ids, labels, lengths, sets, codes, *rest = reply
    tag_lengths, tags, fingerprints = rest
    catalog, generation = np.frombuffer(flags, np.uint8), np.frombuffer(own, np.uint8)
    count = len(catalog)
    marked = unpieces(tag_lengths, tags, count) if tag_lengths else []
    return Columns(
        segment=segment,
        position=position,
        stamp=int(stamp),
        total=total,
        rows=np.arange(first, first + count) if rows is None else rows,
        alive=catalog & _ALIVE > 0,
        member=generation & _MEMBER > 0,
        coded=generation & _CODED > 0,
        ids=ids,
        labels=unpack_labels(labels, generation & _MEMBER > 0, lengths, sets),
        codes=np.frombuffer(codes, np.uint8).reshape(count, width),
        tags={i: tuple(text.decode().split("\t")) for i, text in enumerate(marked) if text},
        fingerprints=np.frombuffer(fingerprints, np.uint8),
    )


def unpack_changes(segment: int, reply: Sequence[Any]) -> Changes:
    """The answer to changes, without its first word."""
    *columns, until, age, rows = reply
    numbers = np.frombuffer(rows, "<u4").astype(np.int64)
    return Changes(unpack_columns(segment, numbers, 0, columns), until, age / 1e6)


def unpack_labels(
    column: bytes, member: npt.NDArray[np.bool_], set_lengths: bytes, sets: bytes
) -> ItemLabels:
    """The labels of some rows; those that are no members have none.

    Args:
        column: int32 a row, the label or NO_LABEL.
        set_lengths, sets: bytes of each row's further labels, and these one after the other; empty if no row has any.
    """
    single = np.frombuffer(column, "<i4")
    several = single == NO_LABEL
    counts = (~several & member).astype(np.int64)
    one = counts > 0
    if set_lengths:
        counts += np.frombuffer(set_lengths, "<u4") // 4
    if not several.any():
        return ItemLabels.of(single[one], counts)
    flat = np.empty(counts.sum(), np.int32)
    of_sets = np.repeat(several, counts)
    flat[of_sets], flat[~of_sets] = np.frombuffer(sets, "<i4"), single[one]
    return ItemLabels.of(flat, counts)


def unpack_lacking(reply: Sequence[Any]) -> list[Lacking]:
    """The items of a reply of lacking."""
    _next, ids, revisions, lengths, records, _hopeless = reply
    names, numbers = unended(ids), np.frombuffer(revisions, "<u4").tolist()
    found = []
    for item_id, revision, record in zip(names, numbers, unpieces(lengths, records, len(names)), strict=True):
        uri, picture, *_ = unended(record or NO_RECORD)
        found.append(Lacking(item_id, revision, uri, picture))
    return found


def pictures_in(fields: Mapping[bytes, bytes]) -> set[str]:
    """The originals and thumbnails that the records among the fields of blocks name."""
    records = (unended(value)[:4] for field, value in fields.items() if field[:1] in (b"r", b"o"))
    return {
        digest for _uri, picture, thumbnail, _metadata in records for digest in (picture, thumbnail) if digest
    }
