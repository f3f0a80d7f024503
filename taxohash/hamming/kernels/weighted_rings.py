"""Weighted distances of codes in rings."""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.cells import unslice
from taxohash.hamming.kernels.conventions import OPTIONS, ZERO
from taxohash.hamming.kernels.intrinsics import CODES
from taxohash.hamming.kernels.weighted import LEVELS, coarsen, fill_table, fine_unit, scan_weighted


@nb.njit(**OPTIONS)
def search_rings_weighted(width, bits, words, rows, mask, centres, cells, queries, weights, best):  # type: ignore[no-untyped-def]
    """`rings.search_rings` by weights uint32[Q, 64 * W]."""
    offsets, _extents, _firsts, bodies = cells
    tile = np.empty(CODES * len(width), np.uint64)
    table = np.empty(len(width) << 11, np.uint32)
    masks = np.empty(LEVELS * len(width), np.uint64)
    for q in range(queries.shape[0]):
        fill_table(weights[q], table)
        unit = fine_unit(weights[q])
        coarsen(weights[q], unit, masks)
        for c in range(offsets.shape[0]):
            centre = centres[c * len(width) : (c + 1) * len(width)]
            low, high = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
            for start, stop in ((np.int64(offsets[c, 0]), low), (high, np.int64(offsets[c, bits + 1]))):
                scan_weighted(
                    width, words, ZERO, rows, mask, start, stop, queries[q], table, masks, unit, best[q]
                )  # fmt: skip
            for first in range(low, high, CODES):
                unslice(width, words, centre, first, high, tile)
                count = min(np.int64(CODES), high - first)
                scan_weighted(
                    width, tile, first, rows, mask, ZERO, count, queries[q], table, masks, unit, best[q]
                )  # fmt: skip
    return queries.shape[0] * rows.size
