"""Weighted distances of bit-sliced codes."""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.blocks import unslice_block
from taxohash.hamming.kernels.conventions import OPTIONS, ZERO
from taxohash.hamming.kernels.intrinsics import CODES, block_size
from taxohash.hamming.kernels.weighted import LEVELS, coarsen, fill_table, scan_weighted


@nb.njit(**OPTIONS)
def scan_sliced_weighted(width, bits, blocks, rows, mask, start, stop, queries, weights, best):  # type: ignore[no-untyped-def]
    """Bring the codes at positions start..stop-1 (start a multiple of CODES) into the heaps best uint64[Q, k]."""
    size = block_size(width, bits)
    tile = np.empty(CODES * len(width), np.uint64)
    table = np.empty(len(width) << 11, np.uint32)
    masks = np.empty(LEVELS * len(width), np.uint64)
    for q in range(queries.shape[0]):
        fill_table(weights[q], table)
        drop = coarsen(weights[q], masks)
        for first in range(start, stop, CODES):
            end = min(first + CODES, stop)
            block = blocks[first // CODES * size : (first // CODES + 1) * size]
            unslice_block(width, bits, block, tile, ZERO, end - first)
            scan_weighted(
                width, tile, first, rows, mask, ZERO, end - first, queries[q], table, masks, drop, best[q]
            )  # fmt: skip
