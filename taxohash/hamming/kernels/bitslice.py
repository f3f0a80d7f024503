"""Bit-sliced codes compared with a query 256 or 512 at a time by carry-save addition.

Plane j of a block holds bit j of all its codes, one bit a code, so a logical instruction works on a whole vector
register of codes. With |.| for the number of set bits, the distance of code x to query q is

    D = |q| + |x| - 2 |x & q|        or, with the complement q' of q,        D = |q| - |x| + 2 |x & q'|,

so only the planes of the set bits of q, or only those of its clear bits, have to be added: at most half. |x| does
not depend on q and is kept as planes too. The counters start at what makes their sign the answer to "D < limit?",
so nothing is left to compare. That is less than one logical instruction for every code and query on AVX2, half of
that on AVX-512 (where LLVM fuses two into VPTERNLOG), and it reads 39 planes of 64.
Counting by carry-save adders: Harley and Seal (Warren, Hacker's Delight, 2nd ed., 5-2).
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.blocks import block_at, slice_block, unslice_block
from taxohash.hamming.kernels.conventions import OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.flat import is_allowed, offer, row_at, scan, with_room
from taxohash.hamming.kernels.intrinsics import (
    CODES,
    LANES,
    STRIDE,
    band_size,
    code_planes,
    compare,
    compare_ahead,
    count_planes,
    popcount,
)

FETCHERS = (
    4  # queries of a batch that fetch the block a band further: together they touch nearly all of its planes
)


@nb.njit(**OPTIONS)
def _prepare(width, bits, queries, slots, ones, flips):  # type: ignore[no-untyped-def]
    """For queries uint64[Q, W]: which planes to add, |q|, and whether these are the planes of its clear bits."""
    planes, head = code_planes(bits), (1 + count_planes(width)) * STRIDE
    for q in range(queries.shape[0]):
        for w in range(len(width)):
            ones[q] += np.int64(popcount(queries[q, w]))
        flips[q] = 2 * ones[q] > planes
        used = 0
        for j in range(planes):
            bit = (queries[q, j >> 6] >> np.uint64(j & 63)) & np.uint64(1)
            if (bit == 0) == flips[q]:
                slots[q, used] = head + j * STRIDE
                used += 1


@nb.njit(inline="always", **OPTIONS)
def _distance(out, size, lane, bit, limit, flip):  # type: ignore[no-untyped-def]
    """The distance of a code that `compare` answered for: v gives it back."""
    value = np.int64(0)
    for i in range(size + 1):
        value |= np.int64((out[(2 + i) * LANES + lane] >> bit) & np.uint64(1)) << i
    if value >> size:
        value -= 2 << size
    odd = np.int64((out[LANES + lane] >> bit) & np.uint64(1))
    return limit + 1 + 2 * value - odd if flip else limit + odd - 2 * (value + 1)


@nb.njit(inline="always", **OPTIONS)
def _start(limit, ones, flip):  # type: ignore[no-untyped-def]
    """What `compare` adds to |x| so that its answer is "nearer than limit"; and the mask of its answer."""
    if flip:
        return limit - ones - 1, np.uint64(0)
    return ones - limit, np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@nb.njit(**OPTIONS)
def _take_hits(out, size, first, stop, rows, mask, limit, flip, best):  # type: ignore[no-untyped-def]
    """Bring the answers of `compare` into `best`."""
    for lane in range(LANES):
        hits = out[lane]
        while hits:
            bit = popcount((hits & (~hits + np.uint64(1))) - np.uint64(1))
            hits &= hits - np.uint64(1)
            position = first + np.int64(bit) * LANES + lane
            if position < stop:
                offer(rows, mask, position, np.uint64(_distance(out, size, lane, bit, limit, flip)), best)


@nb.njit(**OPTIONS)
def scan_sliced(width, bits, blocks, words, rows, mask, start, stop, queries, best, ordered):  # type: ignore[no-untyped-def]
    """Bring the codes at positions start..stop-1 (start a multiple of CODES) into the heaps best uint64[Q, k].

    The codes come from `blocks`, or, where that is empty, from `words`, sliced on the way. `ordered` as in `scan`.
    """
    many, planes, count = queries.shape[0], code_planes(bits), count_planes(width)
    size = band_size(width, bits)
    slots = np.zeros((many, 32 * len(width)), np.int32)
    ones, flips = np.zeros(many, np.int64), np.zeros(many, np.bool_)
    _prepare(width, bits, queries, slots, ones, flips)
    own = np.empty(size if blocks.size == 0 else 0, np.uint64)
    tile = np.empty(CODES * len(width), np.uint64)
    out = np.empty((count + 3) * LANES, np.uint64)
    for first in range(start, stop, CODES):
        end = min(first + CODES, stop)
        if blocks.size:
            block = block_at(width, bits, blocks, first)
        else:
            block = own
            slice_block(width, bits, words, first, end, block)
        if (
            first == start
        ):  # code by code, so that the heaps fill and the limits fall before whole blocks are taken
            unslice_block(width, bits, block, tile, ZERO, end - first)
            for q in range(many):
                scan(width, tile, first, rows, mask, ZERO, end - first, queries[q], best[q], ordered)
            continue
        for q in range(many):
            limit = min(np.int64(best[q, 0] >> SHIFT) + (0 if ordered else 1), planes + 1)
            begin, flip = _start(limit, ones[q], flips[q])
            if blocks.size and q < FETCHERS:
                seen = compare_ahead(width, block, slots[q], begin, flip, out, size)
            else:
                seen = compare(width, block, slots[q], begin, flip, out)
            if seen:
                _take_hits(out, count, first, end, rows, mask, limit, flips[q], best[q])


@nb.njit(**OPTIONS)
def collect_sliced(width, bits, blocks, rows, mask, stop, query, radius, keys, size):  # type: ignore[no-untyped-def]
    """`collect` over the first `stop` codes of `blocks`."""
    length, count = band_size(width, bits), count_planes(width)
    limit = min(radius, code_planes(bits)) + 1
    slots = np.zeros((1, 32 * len(width)), np.int32)
    ones, flips = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    _prepare(width, bits, query.reshape(1, len(width)), slots, ones, flips)
    begin, flip = _start(limit, ones[0], flips[0])
    out = np.empty((count + 3) * LANES, np.uint64)
    for first in range(0, stop, CODES):
        block = block_at(width, bits, blocks, first)
        if not compare_ahead(width, block, slots[0], begin, flip, out, length):
            continue
        keys = with_room(keys, size, CODES)
        for lane in range(LANES):
            hits = out[lane]
            while hits:
                bit = popcount((hits & (~hits + np.uint64(1))) - np.uint64(1))
                hits &= hits - np.uint64(1)
                position = first + np.int64(bit) * LANES + lane
                if position < stop:
                    row = row_at(rows, position)
                    if is_allowed(mask, row):
                        near = _distance(out, count, lane, bit, limit, flips[0])
                        keys[size] = (np.uint64(near) << SHIFT) | row
                        size += 1
    return keys, size
