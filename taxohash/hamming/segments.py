"""Three ways to keep a fixed set of codes, with the same operations.

`Run`: the codes as words, in order. `Sliced`: bit-sliced blocks, for codes without structure. `Rings`: words grouped
around centres, for codes that cluster. None of them changes once made, so any number of threads may search them.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taxohash.hamming import bitslice, blocks, cells, flat, rings
from taxohash.hamming.centres import NO_ROWS, NO_WORDS, Centres, find_centres
from taxohash.hamming.intrinsics import LINE
from taxohash.hamming.words import Words, aligned_bytes, width_of

RowNumbers = npt.NDArray[np.uint32]  # one a code, or empty where row = position
Bitmap = npt.NDArray[np.uint8]  # one bit a row, or empty for all rows
Keys = npt.NDArray[np.uint64]  # distance << 32 | row
Arrays = dict[str, npt.NDArray[Any]]

SLICE_FROM = 8192  # codes from which slicing pays
SLICE_QUERIES = 8  # queries from which slicing on the way pays
BUDGET = 8  # rings go cell by cell for all queries that would each look at 1/8 of the codes
SLICED_RING = 64  # codes of the outermost rings of a body


class Segment(Protocol):
    """A fixed set of codes."""

    @property
    def bits(self) -> int: ...

    @property
    def rows(self) -> RowNumbers: ...

    def __len__(self) -> int: ...

    @property
    def layout(self) -> str: ...

    def search(self, queries: Words, mask: Bitmap, best: Keys) -> int:
        """Bring the nearest allowed codes into the empty heaps best uint64[Q, k]; the codes looked at."""
        ...

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        """Add the distances of the allowed codes to counts int64[bits + 1]."""
        ...

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        """Append the keys of allowed codes within `radius` to keys[:size]."""
        ...

    def words(self) -> Words:
        """All codes, uint64[N * W], in the order of `rows`."""
        ...

    def take(self, mask: Bitmap) -> "Segment":
        """The codes of the allowed rows as a segment of their own."""
        ...

    def arrays(self) -> Arrays:
        """The arrays it consists of."""
        ...


@dataclass(frozen=True)
class Run:
    """Codes as words: uint64[N * W]; `count` of them are in use."""

    bits: int
    codes: Words
    rows: RowNumbers
    count: int
    layout = "run"

    def __len__(self) -> int:
        return self.count

    def search(self, queries: Words, mask: Bitmap, best: Keys) -> int:
        bring(self, queries, mask, best, ordered=False)
        return self.count * len(queries)

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        flat.histogram(width_of(self.bits), self.codes, self.rows, mask, self.count, query, counts)

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        width = width_of(self.bits)
        found: tuple[Keys, int] = flat.collect(
            width, self.codes, self.rows, mask, 0, self.count, query, radius, keys, size
        )
        return found

    def words(self) -> Words:
        return self.codes[: self.count * len(width_of(self.bits))]

    def take(self, mask: Bitmap) -> Segment:
        return take_words(self, mask)

    def arrays(self) -> Arrays:
        return {"codes": self.words(), "rows": self.rows[: self.count]}


@dataclass(frozen=True)
class Sliced:
    """Codes as bit-sliced blocks (see `bitslice`), rows ascending."""

    bits: int
    blocks: Words
    rows: RowNumbers
    count: int
    layout = "sliced"

    def __len__(self) -> int:
        return self.count

    def search(self, queries: Words, mask: Bitmap, best: Keys) -> int:
        return self.search_part(queries, mask, best, 0, self.count)

    def search_part(self, queries: Words, mask: Bitmap, best: Keys, start: int, stop: int) -> int:
        """`search` among the positions start..stop-1; `start` is a multiple of intrinsics.CODES."""
        bitslice.scan_sliced(
            width_of(self.bits),
            self.bits,
            self.blocks,
            NO_WORDS,
            self.rows,
            mask,
            start,
            stop,
            queries,
            best,
            True,
        )
        return (stop - start) * len(queries)

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        self._run().histogram(query, mask, counts)

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        width = width_of(self.bits)
        found: tuple[Keys, int] = bitslice.collect_sliced(
            width, self.bits, self.blocks, self.rows, mask, self.count, query, radius, keys, size
        )
        return found

    def words(self) -> Words:
        words: Words = blocks.unslice_all(width_of(self.bits), self.bits, self.blocks, self.count)
        return words

    def take(self, mask: Bitmap) -> Segment:
        return take_words(self, mask)

    def arrays(self) -> Arrays:
        return {"blocks": self.blocks, "rows": self.rows}

    def _run(self) -> Run:
        return Run(self.bits, self.words(), self.rows, self.count)


@dataclass(frozen=True)
class Rings:
    """Codes grouped around centres (see `rings`)."""

    bits: int
    codes: Words
    rows: RowNumbers
    centres: Centres
    offsets: npt.NDArray[np.uint32]
    extents: npt.NDArray[np.int32]  # [2, C]: the least and the greatest radius of each centre
    firsts: RowNumbers  # [C, bits + 1]: the least row of each ring
    bodies: npt.NDArray[np.uint32]  # [C, 2]: the positions of each centre that are bit-sliced
    layout = "rings"

    def __len__(self) -> int:
        return self.rows.size

    def search(self, queries: Words, mask: Bitmap, best: Keys) -> int:
        return int(
            rings.search_rings(
                width_of(self.bits), self.bits, self.codes, self.rows, mask, self.centres.words, self._cells(),
                queries, best, max(len(self) // BUDGET, 4096),
            )
        )  # fmt: skip

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        cells.histogram_cells(
            width_of(self.bits), self.codes, self.rows, mask, self.centres.words, self.offsets, self.bodies, query, counts
        )  # fmt: skip

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        found: tuple[Keys, int] = rings.collect_rings(
            width_of(self.bits), self.bits, self.codes, self.rows, mask, self.centres.words, self._cells(),
            query, radius, keys, size,
        )  # fmt: skip
        return found

    def words(self) -> Words:
        width = width_of(self.bits)
        words: Words = cells.unslice_bodies(width, self.codes, self.centres.words, self.bodies)
        return words[: len(self) * len(width)]

    def take(self, mask: Bitmap) -> Segment:
        kept = flat.positions(self.rows, mask, len(self))
        near, radii = self.ring_of()
        words = np.ascontiguousarray(self.words().reshape(-1, len(width_of(self.bits)))[kept]).ravel()
        return arrange(self.bits, words, self.rows[kept], self.centres, near[kept], radii[kept])

    def arrays(self) -> Arrays:
        return {
            "codes": self.codes, "rows": self.rows, "offsets": self.offsets, "extents": self.extents, "firsts": self.firsts,
            "bodies": self.bodies, "centres": self.centres.words, "heads": self.centres.heads, "ends": self.centres.ends,
        }  # fmt: skip

    def _cells(self) -> tuple[npt.NDArray[Any], ...]:
        return self.offsets, self.extents, self.firsts, self.bodies

    def ring_of(self) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
        """The centre and the radius of each code: uint16[N], uint16[N]."""
        near, radii = np.empty(len(self), dtype=np.uint16), np.empty(len(self), dtype=np.uint16)
        rings.ring_of(self.offsets, near, radii)
        return near, radii


def bring(run: Run, queries: Words, mask: Bitmap, best: Keys, ordered: bool) -> None:
    """Bring the codes of `run` into heaps that may hold others already, sliced on the way for many queries."""
    width = width_of(run.bits)
    if len(queries) >= SLICE_QUERIES and run.count >= SLICE_FROM:
        words = run.words()
        bitslice.scan_sliced(
            width, run.bits, NO_WORDS, words, run.rows, mask, 0, run.count, queries, best, ordered
        )
    else:
        flat.scan_each(width, run.codes, run.rows, mask, 0, run.count, queries, best, ordered)


def take_words(segment: Segment, mask: Bitmap) -> Segment:
    """The allowed codes of a segment in row order, sliced if there are many."""
    kept = flat.positions(segment.rows, mask, len(segment))
    if isinstance(segment, Sliced):
        words = blocks.pick(width_of(segment.bits), segment.bits, segment.blocks, kept)
    else:
        words = np.ascontiguousarray(segment.words().reshape(-1, len(width_of(segment.bits)))[kept]).ravel()
    rows = segment.rows[kept] if segment.rows.size else kept.astype(np.uint32)
    return keep_flat(segment.bits, words, rows)


def keep_flat(bits: int, words: Words, rows: RowNumbers) -> Segment:
    """Codes in ascending rows, without structure. Keeps `words` where they are few."""
    width = width_of(bits)
    count = words.size // len(width)
    if count < SLICE_FROM:
        return Run(bits, words, rows, count)
    sliced = np.empty(blocks.blocks_size(width, bits, count), dtype=np.uint64)  # NumPy asks for huge pages
    blocks.slice_all(width, bits, words, sliced)
    return Sliced(bits, sliced, rows, count)


def arrange(
    bits: int,
    words: Words,
    rows: RowNumbers,
    centres: Centres,
    near: npt.NDArray[np.uint16],
    radii: npt.NDArray[np.uint16],
) -> Rings:
    """Codes in ascending rows whose centres and radii are known, sorted into rings; in each, rows ascend."""
    width = width_of(bits)
    offsets = np.empty((centres.words.size // len(width), bits + 2), dtype=np.uint32)
    out_words = aligned_bytes(8 * (words.size + LINE)).view(np.uint64)
    out_rows = np.empty(near.size, dtype=np.uint32)
    out_words[words.size :] = 0  # whole vectors of the last plane may be read
    rings.place(width, words, rows, near, radii, offsets, out_words, out_rows)
    held = offsets[:, 1:] > offsets[:, :-1]
    last = held.shape[1] - 1
    extents = np.stack([held.argmax(axis=1), last - held[:, ::-1].argmax(axis=1)], axis=0).astype(np.int32)
    firsts = np.zeros(held.shape, dtype=np.uint32)
    firsts[held] = out_rows[offsets[:, :-1][held]]
    bodies = find_bodies(offsets)
    cells.slice_bodies(width, out_words, centres.words, bodies)
    return Rings(bits, out_words, out_rows, centres, offsets, extents, firsts, bodies)


def find_bodies(offsets: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Which positions of each cell to slice, uint32[C, 2]: from its first ring of many codes to its last."""
    edges = offsets.astype(np.int64)
    large = edges[:, 1:] - edges[:, :-1] >= SLICED_RING
    each, last = np.arange(len(edges)), large.shape[1] - 1
    start = edges[each, large.argmax(axis=1)]
    stop = edges[each, last + 1 - large[:, ::-1].argmax(axis=1)]
    start = -(-start // LINE) * LINE  # so that planes are cache lines
    stop = start + (stop - start) // 64 * 64
    empty = (stop <= start) | ~large.any(axis=1)
    start[empty] = stop[empty] = edges[empty, -1]
    return np.stack([start, stop], axis=1).astype(np.uint32)


def make_segment(bits: int, words: Words, rows: RowNumbers, given: Words | None) -> Segment:
    """The fastest arrangement of codes words uint64[N * W] in ascending `rows`; decides by what it measures of them."""
    centres = find_centres(words, bits, given)
    if centres is None:
        return keep_flat(bits, words, rows)
    return arrange(bits, words, rows, centres, *centres.assign(words, width_of(bits)))


def merge(base: Segment, mask: Bitmap, words: Words, rows: RowNumbers) -> Segment:
    """The allowed codes of `base` and more codes words uint64[n * W], in the arrangement of `base`."""
    width = width_of(base.bits)
    kept = flat.positions(base.rows, mask, len(base))
    old_words = base.words().reshape(-1, len(width))[kept]
    old_rows = base.rows[kept] if base.rows.size else kept.astype(np.uint32)
    if isinstance(base, Rings):
        near, radii = base.ring_of()
        new_near, new_radii = base.centres.assign(words, width)
        all_rows = np.concatenate([old_rows, rows])
        order = by_row(all_rows)
        return arrange(
            base.bits,
            np.concatenate([old_words, words.reshape(-1, len(width))])[order].ravel(),
            all_rows[order],
            base.centres,
            np.concatenate([near[kept], new_near])[order],
            np.concatenate([radii[kept], new_radii])[order],
        )
    order = np.argsort(rows, kind="stable")
    at = np.searchsorted(old_rows, rows[order])
    all_rows = np.insert(old_rows, at, rows[order])
    all_words = np.insert(old_words, at, words.reshape(-1, len(width))[order], axis=0).ravel()
    dense = bool(
        all_rows.size == 0 or all_rows[-1] == all_rows.size - 1
    )  # ascending and distinct: row = position
    return keep_flat(base.bits, all_words, NO_ROWS if dense else all_rows)


def by_row(rows: RowNumbers) -> npt.NDArray[np.int64]:
    """The order that sorts different row numbers, without comparing them."""
    places = np.full(int(rows.max(initial=0)) + 1, -1, dtype=np.int64)
    places[rows] = np.arange(rows.size)
    return places[places >= 0]


def restore(bits: int, layout: str, count: int, arrays: Arrays) -> Segment:
    """The segment whose `layout`, length and `arrays()` were kept."""
    a = arrays
    if layout == "rings":
        centres = Centres(a["centres"], a["heads"], a["ends"])
        return Rings(
            bits, a["codes"], a["rows"], centres, a["offsets"], a["extents"], a["firsts"], a["bodies"]
        )
    if layout == "sliced":
        return Sliced(bits, a["blocks"], a["rows"], count)
    return Run(bits, a["codes"], a["rows"], count)
