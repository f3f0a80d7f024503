"""Making layouts: which one suits the codes, taking part of one, merging."""

import numpy as np
import numpy.typing as npt

from taxohash.hamming.centres import NO_ROWS, Centres, find_centres
from taxohash.hamming.kernels import blocks, cells, flat, grouping
from taxohash.hamming.kernels.intrinsics import LINE
from taxohash.hamming.layouts import SLICE_FROM, Bitmap, Flat, Layout, Rings, RowNumbers, Sliced
from taxohash.hamming.words import Rows, Words, aligned_bytes, width_of

SPARSE = 8  # row numbers of this many times as many codes are sorted
NEIGHBOURS = (
    8,
    48,
)  # at least and at most of each centre, whose cells may be left out by what is known of their codes
BESIDE = 12  # one in so many of the centres is a neighbour
SLICED_RING = 64  # codes of the outermost rings of a body


def take(layout: Layout, mask: Bitmap) -> Layout:
    """The codes of the allowed rows as a layout of their own, in rings where the layout is."""
    if not isinstance(layout, Rings):
        return take_words(layout, mask)
    kept = flat.positions(layout.rows, mask, len(layout))
    near, radii = layout.ring_of()
    words = np.ascontiguousarray(layout.words().reshape(-1, len(width_of(layout.bits)))[kept]).ravel()
    return arrange(layout.bits, words, layout.rows[kept], layout.centres, near[kept], radii[kept])


def take_words(layout: Layout, mask: Bitmap) -> Layout:
    """The allowed codes of a layout in row order, sliced if there are many."""
    kept = flat.positions(layout.rows, mask, len(layout))
    rows = layout.rows[kept] if layout.rows.size else kept.astype(np.uint32)
    return keep_flat(layout.bits, layout.pick(kept), rows)


def keep_flat(bits: int, words: Words, rows: RowNumbers) -> Layout:
    """Codes in ascending rows, without structure. Keeps `words` where they are few."""
    width = width_of(bits)
    count = words.size // len(width)
    if count < SLICE_FROM:
        return Flat(bits, words, rows, count)
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
    grouping.place(width, words, rows, near, radii, offsets, out_words, out_rows)
    rings = rings_of(bits, out_words, out_rows, centres, offsets, out_words)
    cells.slice_bodies(width, out_words, centres.words, rings.bodies)
    return rings


def rings_of(
    bits: int, words: Words, rows: RowNumbers, centres: Centres, offsets: npt.NDArray[np.uint32], plain: Words
) -> Rings:
    """Rings with what can be told from where each begins, and from their codes `plain`, none of them sliced."""
    held = offsets[:, 1:] > offsets[:, :-1]
    last = held.shape[1] - 1
    extents = np.stack([held.argmax(axis=1), last - held[:, ::-1].argmax(axis=1)], axis=0).astype(np.int32)
    firsts = np.zeros(held.shape, dtype=np.uint32)
    firsts[held] = rows[offsets[:, :-1][held]]
    neighbours = find_neighbours(centres.words.reshape(-1, len(width_of(bits))))
    margins = np.empty(neighbours.shape, dtype=np.int16)
    grouping.leanings(
        width_of(bits), plain, centres.words, offsets[:, 0], offsets[:, -1], neighbours, margins
    )
    bodies = find_bodies(offsets)
    return Rings(bits, words, rows, centres, offsets, extents, firsts, bodies, neighbours, margins)


def find_neighbours(centres: Words) -> npt.NDArray[np.uint16]:
    """The others that are nearest to each of centres uint64[C, W]: uint16[C, P]."""
    away = np.stack([np.bitwise_count(centres ^ centre).sum(axis=1, dtype=np.int32) for centre in centres])
    np.fill_diagonal(away, np.iinfo(np.int32).max)
    count = min(max(len(centres) // BESIDE, NEIGHBOURS[0]), NEIGHBOURS[1], len(centres) - 1)
    return np.argsort(away, axis=1, kind="stable")[:, :count].astype(np.uint16)


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


def make_layout(bits: int, words: Words, rows: RowNumbers, given: Words | None) -> Layout:
    """The fastest arrangement of codes words uint64[N * W] in ascending `rows`; decides by what it measures of them."""
    centres = find_centres(words, bits, given)
    if centres is None:
        return keep_flat(bits, words, rows)
    return arrange(bits, words, rows, centres, *centres.assign(words, width_of(bits)))


def merge(base: Layout, mask: Bitmap, words: Words, rows: RowNumbers) -> Layout:
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


def ordered(words: Words, rows: Rows | RowNumbers) -> tuple[Words, RowNumbers]:
    """Codes uint64[N, W] as uint64[N * W] in ascending rows, and their rows, empty where row = position."""
    numbers = rows.astype(np.uint32, copy=False)
    if not (numbers[1:] > numbers[:-1]).all():
        order = by_row(numbers)
        words, numbers = words[order], numbers[order]
    dense = numbers.size == 0 or numbers[-1] == numbers.size - 1  # ascending and distinct
    return words.ravel(), NO_ROWS if dense else numbers


def by_row(rows: RowNumbers) -> npt.NDArray[np.int64]:
    """The order that sorts different row numbers, where they lie close without comparing them."""
    last = int(rows.max(initial=0))
    if last > SPARSE * rows.size:
        return np.argsort(rows)
    places = np.full(last + 1, -1, dtype=np.int64)
    places[rows] = np.arange(rows.size)
    return places[places >= 0]
