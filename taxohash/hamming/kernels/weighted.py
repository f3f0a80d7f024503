"""Weighted distances: the sum of the weights of the bits in which query and code differ.

Weights are whole numbers, uint32[64 W], by the place of a bit in the words (see `weights.Weights`); their sum is at most
2 ** 30, so keys, heaps and ties are those of plain distances, and the greatest is a power of two or 0.

`table` is uint32[8 W * 256]: what each value of each byte of query ^ code weighs.

*Coarse* weights are w >> drop, of LEVELS bits, so codes whose coarse distance is above limit >> drop are farther than limit.
Bit b of them is set for the bits in masks[b], masks uint64[LEVELS * W]: a coarse distance is LEVELS popcounts.
Other conventions as in `flat`.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import KERNEL, OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.flat import BLOCK, SUB_BLOCK, is_allowed, offer_noted, row_at
from taxohash.hamming.kernels.intrinsics import ONE, popcount

LEVELS = 3


@nb.njit(**KERNEL)
def fill_table(weights, table):  # type: ignore[no-untyped-def]
    """Make the table of weights uint32[64 * W]."""
    for byte in range(weights.size >> 3):
        part = table[byte << 8 : (byte + 1) << 8]
        part[0] = 0
        for bit in range(8):
            low, weight = part[: 1 << bit], weights[(byte << 3) + bit]
            high = part[1 << bit : 2 << bit]
            for i in range(low.size):
                high[i] = low[i] + weight


@nb.njit(inline="always", **KERNEL)
def weigh(width, words, position, query, table):  # type: ignore[no-untyped-def]
    """Weighted distance (uint64) of the code at `position` to query uint64[W]."""
    total = np.uint32(0)
    for w in range(len(width)):
        differing = words[position * len(width) + w] ^ query[w]
        for byte in range(8):
            value = (differing >> np.uint64(byte << 3)) & np.uint64(255)
            total += table[np.uint64((w << 11) + (byte << 8)) | value]
    return np.uint64(total)


@nb.njit(**KERNEL)
def heaviest(weights):  # type: ignore[no-untyped-def]
    """The greatest of weights uint32[64 * W]."""
    most = np.uint32(0)
    for j in range(weights.size):
        if weights[j] > most:
            most = weights[j]
    return np.int64(most)


@nb.njit(**KERNEL)
def coarsen(weights, masks):  # type: ignore[no-untyped-def]
    """Make the masks of the coarse weights; returns `drop`."""
    size, drop, most = weights.size >> 6, 0, (1 << LEVELS) - 1
    greatest = np.uint32(0)
    for j in range(weights.size):
        greatest = max(greatest, weights[j])
    while (
        greatest >> drop > most + 1
    ):  # it may be one too great: it is a power of two, of which a bit more would be lost
        drop += 1
    masks.fill(0)
    for j in range(weights.size):
        value = np.uint64(min(weights[j] >> np.uint32(drop), np.uint32(most)))
        for level in range(LEVELS):
            masks[level * size + (j >> 6)] |= ((value >> np.uint64(level)) & ONE) << np.uint64(j & 63)
    return drop


@nb.njit(inline="always", **KERNEL)
def weigh_coarsely(width, words, position, query, masks):  # type: ignore[no-untyped-def]
    """Coarse distance of the code at `position`."""
    total = np.uint64(0)
    for w in range(len(width)):
        differing = words[position * len(width) + w] ^ query[w]
        for level in range(LEVELS):
            total += popcount(differing & masks[level * len(width) + w]) << np.uint64(level)
    return np.int64(total)


@nb.njit(**KERNEL)
def count_coarse(width, words, start, stop, query, masks, limit):  # type: ignore[no-untyped-def]
    """How many codes at positions start..stop-1 have a coarse distance of `limit` or less."""
    block = words[start * len(width) : stop * len(width)]
    hits = 0
    for i in range(block.size // len(width)):
        hits += weigh_coarsely(width, block, i, query, masks) <= limit
    return hits


@nb.njit(**KERNEL)
def scan_weighted(width, words, origin, rows, mask, start, stop, query, table, masks, drop, best, noted):  # type: ignore[no-untyped-def]
    """`flat.scan` by weights, for rows in any order."""
    for block in range(start, stop, BLOCK):
        end = min(block + BLOCK, stop)
        limit = np.int64(best[0] >> SHIFT) >> drop
        if count_coarse(width, words, block, end, query, masks, limit) == 0:
            continue
        for sub in range(block, end, SUB_BLOCK):
            sub_end = min(sub + SUB_BLOCK, end)
            limit = np.int64(best[0] >> SHIFT) >> drop
            if count_coarse(width, words, sub, sub_end, query, masks, limit) == 0:
                continue
            for position in range(sub, sub_end):
                offer_noted(
                    rows, mask, origin + position, weigh(width, words, position, query, table), best, noted
                )


@nb.njit(**OPTIONS)
def scan_each_weighted(width, words, rows, mask, stop, queries, weights, best, noted):  # type: ignore[no-untyped-def]
    """`scan_weighted` of the first `stop` codes for queries uint64[Q, W] and heaps best uint64[Q, k]."""
    table = np.empty(len(width) << 11, np.uint32)
    masks = np.empty(LEVELS * len(width), np.uint64)
    for q in range(queries.shape[0]):
        fill_table(weights[q], table)
        drop = coarsen(weights[q], masks)
        scan_weighted(
            width, words, ZERO, rows, mask, ZERO, stop, queries[q], table, masks, drop, best[q], noted[q]
        )  # fmt: skip


@nb.njit(**OPTIONS)
def weigh_all(width, words, rows, mask, count, query, weights):  # type: ignore[no-untyped-def]
    """The keys of all allowed codes among the first `count`: uint64[n]."""
    table = np.empty(len(width) << 11, np.uint32)
    fill_table(weights, table)
    keys, size = np.empty(count, np.uint64), 0
    for position in range(count):
        row = row_at(rows, position)
        keys[size] = (weigh(width, words, position, query, table) << SHIFT) | row
        size += is_allowed(mask, row)
    return keys[:size]
