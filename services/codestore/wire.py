"""Batches as the server-side functions take them, and their replies back in arrays. Pure.

Strings travel as lines, numbers as little-endian columns: a batch is a handful of arguments, however many items it has.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from services.codestore.records import Item

BATCH_ITEMS = 4_000  # items sent together, over all segments
PART_ITEMS = 1_000  # items of one call; keeps the server busy for a few milliseconds at most
BATCH_BYTES = 4 << 20


def lines(texts: Sequence[str]) -> bytes:
    """Each text ended by a newline; the texts contain none."""
    return "".join(f"{text}\n" for text in texts).encode()


def unlines(data: bytes) -> list[str]:
    """Inverse of `lines`."""
    return data.decode().split("\n")[:-1]


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


def pack_items(items: Sequence[Item]) -> tuple[bytes, ...]:
    """Arguments of put_items."""
    uris = [item.uri for item in items]
    tags = ["\t".join(item.tags) for item in items]
    thumbnails = [item.thumbnail for item in items]
    return (
        lines([item.id for item in items]),
        np.array([item.label for item in items], "<i4").tobytes(),
        lines(uris) if any(uris) else b"",
        lines(tags) if any(tags) else b"",
        np.array([len(thumbnail) for thumbnail in thumbnails], "<u4").tobytes() if any(thumbnails) else b"",
        b"".join(thumbnails),
    )


def unpack_item(item_id: str, reply: Sequence[bytes]) -> Item:
    """The item in a reply of item."""
    label, updated, uri, tags, thumbnail = reply
    return Item(
        id=item_id,
        label=int(np.frombuffer(label, "<i4")[0]),
        thumbnail=thumbnail,
        uri=uri.decode(),
        tags=tuple(tags.decode().split("\t")) if tags else (),
        updated=int(np.frombuffer(updated, "<u4")[0]),
    )


def unpack_segment(
    width: int, rows: int, bitmap: bytes, ids: bytes, labels: bytes, codes: bytes
) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Ids, int32[n] labels and uint8[n, width] codes of the rows whose bit is set in the bitmap."""
    names = unlines(ids)
    label_column = np.frombuffer(labels, "<i4")
    code_column = np.frombuffer(codes, np.uint8).reshape(rows, width)
    padded = bitmap.ljust((rows + 7) // 8, b"\0")  # the server keeps it up to the last bit set
    bits = np.unpackbits(np.frombuffer(padded, np.uint8), count=rows).astype(bool)
    if bits.all():
        return names, label_column, code_column
    return [names[row] for row in np.flatnonzero(bits)], label_column[bits], code_column[bits]
