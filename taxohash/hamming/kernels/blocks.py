"""Blocks of bit-sliced codes, made from words and turned back: bit matrices transposed by butterflies.

A block of CODES codes has 1 + C + 8 * bytes planes of LANES words: a plane of zeros, C planes that hold the number of set
bits of each code, and the bit planes. Bit i of lane l of every plane belongs to code i * LANES + l of the block.

BAND blocks lie side by side, uint64[BAND * planes * LANES]: plane j of all of them, then plane j + 1. A query reads about half of
the planes, and what it leaves out is longer than what the CPU fetches unasked behind each that it reads: with
one block after the other that was nearly everything.
The 64 x 64 transposition: Warren, Hacker's Delight, 2nd ed., 7-3.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import KERNEL, OPTIONS, ZERO
from taxohash.hamming.kernels.intrinsics import (
    BAND,
    CODES,
    LANES,
    STRIDE,
    add_planes,
    band_size,
    code_planes,
    count_planes,
)

WHOLE = 24  # codes wanted of one block from which transposing all of it is cheaper


@nb.njit(**KERNEL)
def transpose(tile):  # type: ignore[no-untyped-def]
    """Transpose the LANES bit matrices of tile uint64[CODES] in place, two butterfly stages a pass."""
    wide, mask = 32, np.uint64(0x0000_0000_FFFF_FFFF)
    while wide:
        narrow = wide >> 1
        fine = mask ^ (mask << np.uint64(narrow))
        far, near = np.uint64(wide), np.uint64(narrow)
        for first in range(0, 64, 2 * wide):
            for i in range(first, first + narrow):
                a = tile[i * LANES : (i + 1) * LANES]
                b = tile[(i + narrow) * LANES : (i + narrow + 1) * LANES]
                c = tile[(i + wide) * LANES : (i + wide + 1) * LANES]
                d = tile[(i + wide + narrow) * LANES : (i + wide + narrow + 1) * LANES]
                for lane in range(LANES):
                    p, q, r, s = a[lane], b[lane], c[lane], d[lane]
                    t, u = ((p >> far) ^ r) & mask, ((q >> far) ^ s) & mask
                    p, q, r, s = p ^ (t << far), q ^ (u << far), r ^ t, s ^ u
                    t, u = ((p >> near) ^ q) & fine, ((r >> near) ^ s) & fine
                    a[lane], b[lane], c[lane], d[lane] = p ^ (t << near), q ^ t, r ^ (u << near), s ^ u
        mask = fine ^ (fine << np.uint64(narrow >> 1))
        wide = narrow >> 1


@nb.njit(inline="always", **KERNEL)
def block_at(width, bits, blocks, first):  # type: ignore[no-untyped-def]
    """The block whose first code is at position `first`: its planes begin STRIDE words apart."""
    number = first // CODES
    return blocks[number // BAND * band_size(width, bits) + number % BAND * LANES :]


@nb.njit(**OPTIONS)
def slice_block(width, bits, words, start, stop, block):  # type: ignore[no-untyped-def]
    """Write the codes at positions start..stop-1 of words uint64[N * W], at most CODES of them, as a block."""
    size, planes, head = len(width), code_planes(bits), (1 + count_planes(width)) * STRIDE
    tile = np.empty(CODES, np.uint64)
    slots = np.zeros(64 * size, np.int32)
    for i in range(LANES):
        block[i] = 0
    for w in range(size):
        for i in range(stop - start):
            tile[i] = words[(start + i) * size + w]
        for i in range(stop - start, CODES):
            tile[i] = 0
        transpose(tile)
        used = min(64, planes - 64 * w)
        for j in range(used):
            place = head + (64 * w + j) * STRIDE
            for lane in range(LANES):
                block[place + lane] = tile[j * LANES + lane]
            slots[64 * w + j] = place
    add_planes(width, block, slots)


@nb.njit(**OPTIONS)
def unslice_block(width, bits, block, words, start, stop):  # type: ignore[no-untyped-def]
    """The inverse of `slice_block`: write the block's codes to positions start..stop-1 of words uint64[N * W]."""
    size, planes, head = len(width), code_planes(bits), (1 + count_planes(width)) * STRIDE
    tile = np.empty(CODES, np.uint64)
    for w in range(size):
        used = min(64, planes - 64 * w)
        for j in range(used):
            for lane in range(LANES):
                tile[j * LANES + lane] = block[head + (64 * w + j) * STRIDE + lane]
        for i in range(used * LANES, CODES):
            tile[i] = 0
        transpose(tile)
        for i in range(stop - start):
            words[(start + i) * size + w] = tile[i]


@nb.njit(**OPTIONS)
def blocks_size(width, bits, total):  # type: ignore[no-untyped-def]
    """Words of the blocks of `total` codes, in whole bands."""
    return -(-total // (BAND * CODES)) * band_size(width, bits)


@nb.njit(**OPTIONS)
def slice_all(width, bits, words, blocks):  # type: ignore[no-untyped-def]
    """Write all codes of words uint64[N * W] as blocks uint64[blocks_size]; blocks without codes are zeros."""
    total = words.size // len(width)
    for first in range(0, -(-total // (BAND * CODES)) * BAND * CODES, CODES):
        start, stop = min(first, total), min(first + CODES, total)
        slice_block(width, bits, words, start, stop, block_at(width, bits, blocks, first))


@nb.njit(**OPTIONS)
def unslice_all(width, bits, blocks, total):  # type: ignore[no-untyped-def]
    """The words uint64[total * W] that `slice_all` made `blocks` from."""
    words = np.empty(total * len(width), np.uint64)
    for first in range(0, total, CODES):
        block = block_at(width, bits, blocks, first)
        unslice_block(width, bits, block, words, first, min(first + CODES, total))
    return words


@nb.njit(**OPTIONS)
def pick(width, bits, blocks, wanted):  # type: ignore[no-untyped-def]
    """The words uint64[n * W] of the codes at positions wanted int64[n], ascending."""
    planes, head = code_planes(bits), (1 + count_planes(width)) * STRIDE
    words, tile = np.empty(wanted.size * len(width), np.uint64), np.empty(CODES * len(width), np.uint64)
    first = 0
    while first < wanted.size:
        b = wanted[first] // CODES
        stop = first
        while stop < wanted.size and wanted[stop] < (b + 1) * CODES:
            stop += 1
        block = block_at(width, bits, blocks, b * CODES)
        whole = stop - first >= WHOLE
        if whole:
            unslice_block(width, bits, block, tile, ZERO, np.int64(CODES))
        for at in range(first, stop):
            code = wanted[at] - b * CODES
            for w in range(len(width)):
                word = np.uint64(0)
                if whole:
                    word = tile[code * len(width) + w]
                else:
                    place = head + 64 * w * STRIDE + code % LANES
                    for j in range(min(64, planes - 64 * w)):
                        bit = (block[place + j * STRIDE] >> np.uint64(code // LANES)) & np.uint64(1)
                        word |= bit << np.uint64(j)
                words[at * len(width) + w] = word
        first = stop
    return words
