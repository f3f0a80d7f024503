"""Weighted distances of bit-sliced codes, first by coarse weights of a few bits, for a whole vector of codes at once.

With coarse weights v (see `weighted`), and a code x of a query q, the coarse distance is

    sum of v over the set bits of q  -  sum of v [x] over them  +  sum of v [x] over its clear bits,

where a plane is added once for every set bit of its v, by carry-save adders whose counters start at what makes their sign the
answer, as in `bitslice`. Few codes are left, and these are weighed bit by bit, heaviest first, until it is too much.

How coarse pays best depends on the weights and on how near the k-th is: of a few units that one is taken for which the planes
to be added and the codes expected to be left, were the codes uniform, cost least; anew whenever twice as many codes are done.
"""

import math

import numba as nb
import numpy as np

from taxohash.hamming.kernels.blocks import block_at, unslice_block
from taxohash.hamming.kernels.conventions import EMPTY, KERNEL, OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.flat import offer_noted
from taxohash.hamming.kernels.intrinsics import (
    CODES,
    LANES,
    LINE,
    ONE,
    STRIDE,
    band_size,
    code_planes,
    compare_weighed,
    count_planes,
    lowest,
    popcount,
    prefetch,
)
from taxohash.hamming.kernels.weighted import LEVELS, coarsen, fill_table, heaviest, scan_weighted
from taxohash.hamming.kernels.weighted_cells import sort_bits

UNITS = (
    0.9,
    0.7,
    0.5,
    0.4,
    0.3,
    0.24,
    0.19,
    0.155,
    0.126,
)  # of the greatest weight: coarse ones are 1, ..., 7
LEFT = 40_000.0  # planes added for one code that take as long as weighing it bit by bit
MANY = 64  # codes of a block that take longer to weigh by themselves than to turn all into words
LEVEL = (True,) * LEVELS
MOST = (1 << LEVELS) - 1


@nb.njit(inline="always", **KERNEL)
def _coarse(weight, unit):  # type: ignore[no-untyped-def]
    return min(np.int64(weight) // unit, np.int64(MOST))


@nb.njit(**KERNEL)
def _choose_unit(weights, limit):  # type: ignore[no-untyped-def]
    """The unit of coarse weights that is expected to cost least."""
    greatest = heaviest(weights)
    best, least = np.int64(1), np.inf
    for share in UNITS:
        unit = np.int64(share * greatest) + 1
        added, total, squares = ZERO, ZERO, ZERO
        for j in range(weights.size):
            value = _coarse(weights[j], unit)
            added += np.int64(popcount(np.uint64(value)))
            total += value
            squares += value * value
        away = (0.5 * total - limit // unit - 0.5) / math.sqrt(0.125 * squares + 1e-9) / 2
        cost = added + LEFT * 0.5 * math.erfc(away)
        if cost < least:
            best, least = unit, cost
    return best


@nb.njit(**KERNEL)
def _prepare(width, bits, query, weights, unit, slots, counts):  # type: ignore[no-untyped-def]
    """Fill slots and counts of `compare_weighed` for coarse weights in multiples of `unit`; returns their sum over set bits."""
    head = (1 + count_planes(width)) * STRIDE
    counts.fill(0)
    total = np.int64(0)
    for j in range(code_planes(bits)):
        value = _coarse(weights[j], unit)
        clear = (query[j >> 6] >> np.uint64(j & 63)) & ONE == 0
        total += 0 if clear else value
        for level in range(LEVELS):
            if (value >> level) & 1:
                row = level + (LEVELS if clear else 0)
                slots[row, counts[row]] = head + j * STRIDE
                counts[row] += 1
    for row in range(2 * LEVELS):
        while counts[row] & 3:
            slots[row, counts[row]] = 0  # the plane of zeros
            counts[row] += 1
    return total


@nb.njit(**KERNEL)
def _take_hits(width, block, out, first, stop, rows, mask, query, weights, order, best, noted):  # type: ignore[no-untyped-def]
    """Bring the answers of `compare_weighed` into `best`, as far as they are near enough."""
    head = (1 + count_planes(width)) * STRIDE
    for lane in range(LANES):
        hits = out[lane]
        while hits:
            bit = np.uint64(lowest(hits))
            hits &= hits - ONE
            position = first + np.int64(bit) * LANES + lane
            limit = np.int64(best[0] >> SHIFT)
            near, left = np.int64(0), order.size
            while left and near <= limit:
                left -= 1
                place = order[left]
                own = query[np.uint64(place >> 6)] >> np.uint64(place & 63)
                differs = ((block[np.uint64(head + place * STRIDE + lane)] >> bit) ^ own) & ONE
                near += np.int64(weights[np.uint64(place)]) * np.int64(differs)
            if near <= limit and position < stop:
                offer_noted(rows, mask, position, np.uint64(near), best, noted)


@nb.njit(**OPTIONS)
def scan_sliced_weighted(width, bits, blocks, rows, mask, start, stop, queries, weights, best, noted):  # type: ignore[no-untyped-def]
    """Bring the codes at positions start..stop-1 (start a multiple of CODES) into the heaps best uint64[Q, k].

    Every row in a heap, unless it is full of a bound, is smaller than those of these codes.
    """
    many, size = queries.shape[0], band_size(width, bits)
    tile = np.empty(CODES * len(width), np.uint64)
    table = np.empty(len(width) << 11, np.uint32)
    masks = np.empty(LEVELS * len(width), np.uint64)
    slots = np.zeros((many, 2 * LEVELS, 64 * len(width) + 4), np.int32)
    counts = np.zeros((many, 2 * LEVELS), np.int64)
    units, totals = np.ones(many, np.int64), np.zeros(many, np.int64)
    orders, keys = np.empty((many, bits), np.int64), np.empty(bits, np.int64)
    least, most = np.empty(bits + 1, np.int64), np.empty(bits + 1, np.int64)
    for q in range(many):
        sort_bits(bits, weights[q], keys, orders[q], least, most)
    out = np.zeros(LANES, np.uint64)
    for first in range(start, stop, CODES):
        done, end = (first - start) // CODES, min(first + CODES, stop)
        block = block_at(width, bits, blocks, first)
        for plane in range(0, size, STRIDE):  # of the block a band further
            for lane in range(0, LANES, LINE):
                prefetch(block, size + plane + lane)
        as_words = False
        for q in range(many):
            hits = np.uint64(CODES)
            if done and best[q, 0] != EMPTY:
                limit = np.int64(best[q, 0] >> SHIFT) - 1
                if limit < 0:
                    continue
                if done & (done - 1) == 0:
                    units[q] = _choose_unit(weights[q], limit)
                    totals[q] = _prepare(width, bits, queries[q], weights[q], units[q], slots[q], counts[q])
                begin = min(limit // units[q], np.int64(MOST * bits)) - totals[q]
                if not compare_weighed(width, LEVEL, block, slots[q], counts[q], begin, out):
                    continue
                hits = np.uint64(0)
                for lane in range(LANES):
                    hits += popcount(out[lane])
            if hits > MANY:
                if not as_words:
                    unslice_block(width, bits, block, tile, ZERO, end - first)
                    as_words = True
                fill_table(weights[q], table)
                drop = coarsen(weights[q], masks)
                scan_weighted(
                    width, tile, first, rows, mask, ZERO, end - first, queries[q], table, masks, drop, best[q], noted[q]
                )  # fmt: skip
            else:
                _take_hits(
                    width,
                    block,
                    out,
                    first,
                    end,
                    rows,
                    mask,
                    queries[q],
                    weights[q],
                    orders[q],
                    best[q],
                    noted[q],
                )
