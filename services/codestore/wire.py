"""Batches as the server-side functions take them, and their replies back in arrays. Pure.

Texts travel one after the other, each ended by a byte that UTF-8 never has, numbers as little-endian columns: a batch is
a handful of arguments, however many items it has.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from services.codestore.records import Item

Labels = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]

BATCH_ITEMS = 4_000  # items sent together, over all segments
PART_ITEMS = 1_000  # items of one call; keeps the server busy for a few milliseconds at most
BATCH_BYTES = 4 << 20
NO_LABEL = -1  # in the column of labels: the item has several, or none


def ended(texts: Sequence[str]) -> bytes:
    """Each text in UTF-8, ended by the byte 0xff, which no UTF-8 has: the texts may contain anything."""
    return b"".join([text.encode() + b"\xff" for text in texts])


def unended(data: bytes) -> list[str]:
    """Inverse of `ended`."""
    return data.decode(errors="surrogateescape").split("\udcff")[:-1]  # quicker than a text at a time


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Lists of at most BATCH_ITEMS items and about BATCH_BYTES of thumbnails."""
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.thumbnail)
        if len(batch) == BATCH_ITEMS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def by_segment(segments: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each segment that occurs with its indices, in their order, at most PART_ITEMS at a time."""
    order = np.argsort(segments, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(segments[order])) + 1):
        for first in range(0, len(group), PART_ITEMS):
            yield int(segments[group[0]]), group[first : first + PART_ITEMS]


def pieces(parts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Lengths as uint32 and the parts one after the other; nothing if all are empty."""
    return np.array([len(part) for part in parts], "<u4").tobytes() if any(parts) else b"", b"".join(parts)


def pack_items(items: Sequence[Item]) -> tuple[bytes, ...]:
    """Arguments of put_items."""
    uris = [item.uri for item in items]
    tags = ["\t".join(item.tags) for item in items]
    labels = [item.labels for item in items]
    return (
        ended([item.id for item in items]),
        np.array([own[0] if len(own) == 1 else NO_LABEL for own in labels], "<i4").tobytes(),
        ended(uris) if any(uris) else b"",
        ended(tags) if any(tags) else b"",
        *pieces([item.thumbnail for item in items]),
        *pieces([np.array(own, "<i4").tobytes() if len(own) > 1 else b"" for own in labels]),
    )


def unpack_item(item_id: str, reply: Sequence[bytes]) -> Item:
    """The item in a reply of item."""
    label, updated, uri, tags, thumbnail, labels = reply
    single = np.frombuffer(label, "<i4")
    return Item(
        id=item_id,
        labels=tuple((np.frombuffer(labels, "<i4") if single[0] == NO_LABEL else single).tolist()),
        thumbnail=thumbnail,
        uri=uri.decode(),
        tags=tuple(tags.decode().split("\t")) if tags else (),
        updated=int(np.frombuffer(updated, "<u4")[0]),
    )


def unpack_segment(
    width: int,
    rows: int,
    bitmap: bytes,
    ids: bytes,
    labels: bytes,
    codes: bytes,
    set_lengths: bytes,
    sets: bytes,
) -> tuple[list[str], Labels, Counts, npt.NDArray[np.uint8]]:
    """What the rows hold whose bit is set in the bitmap: ids, labels int32[m] of all, counts int64[n] of each, codes."""
    names = unended(ids)
    flat, counts = unpack_labels(labels, set_lengths, sets)
    code_column = np.frombuffer(codes, np.uint8).reshape(rows, width)
    padded = bitmap.ljust((rows + 7) // 8, b"\0")  # the server keeps it up to the last bit set
    bits = np.unpackbits(np.frombuffer(padded, np.uint8), count=rows).astype(bool)
    if bits.all():
        return names, flat, counts, code_column
    marked = [names[row] for row in np.flatnonzero(bits)]
    return marked, flat[np.repeat(bits, counts)], counts[bits], code_column[bits]


def unpack_labels(column: bytes, set_lengths: bytes, sets: bytes) -> tuple[Labels, Counts]:
    """All labels of some rows, int32[m], row after row, and how many each row has, int64[rows].

    Args:
        column: int32 a row, the label or NO_LABEL.
        set_lengths, sets: bytes of each row's further labels, and these one after the other; empty if no row has any.
    """
    single = np.frombuffer(column, "<i4")
    several = single == NO_LABEL
    if not several.any():
        return single, np.ones(len(single), np.int64)
    counts = (~several).astype(np.int64)
    if set_lengths:
        counts += np.frombuffer(set_lengths, "<u4") // 4
    flat = np.empty(counts.sum(), np.int32)
    of_sets = np.repeat(several, counts)
    flat[of_sets], flat[~of_sets] = np.frombuffer(sets, "<i4"), single[~several]
    return flat, counts
