"""Cells: the codes around one centre c, by their distance r to it, the middle of them bit-sliced.

As d(q, x) = d(q, c) + d(x, c) - 2 |(q ^ c) & (x ^ c)|, and r = d(x, c) is known from where x lies, only the bits in which
query and centre differ have to be read: few, where both are near. So the *body* of a cell, its rings of many codes, holds
x ^ c as bit planes. The rings at both ends, of few codes, lie as words, which is less to read where a run of
rings is shorter than a plane.

Body of a cell: positions bodies[c, 0] to bodies[c, 1] - 1, a multiple of 64 many, in blocks of BLOCK codes, the last shorter.
A block begins where its first code would lie as a word, and is 64 W planes of 64 codes a word; bit i of word g of every
plane belongs to the block's code 64 g + i. So body and ends fill memory as words would. Each cell has its
edges = offsets[c], the position of its first code of each radius. Other conventions as in `flat`.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.blocks import transpose
from taxohash.hamming.kernels.conventions import EMPTY, KERNEL, OPTIONS, SHIFT, UNORDERED, ZERO
from taxohash.hamming.kernels.flat import (
    collect,
    distance,
    histogram,
    is_allowed,
    offer,
    push,
    scan,
    with_room,
)
from taxohash.hamming.kernels.intrinsics import (
    CODES,
    LANES,
    LINE,
    ONE,
    VECTOR,
    count_common,
    lowest,
    prefetch,
)

BLOCK = 64 * LINE  # codes of a block: a plane is a cache line
FETCHED = 4  # blocks of a body asked for ahead
FEW = 12  # codes to compare one by one
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@nb.njit(**KERNEL)
def differing(width, centres, cell, query, slots):  # type: ignore[no-untyped-def]
    """Write the bits in which query and centre differ to slots int32[64 * W]; returns how many there are."""
    used = 0
    for w in range(len(width)):
        word = centres[cell * len(width) + w] ^ query[w]
        while word:
            slots[used] = 64 * w + lowest(word)
            used += 1
            word &= word - ONE
    return used


@nb.njit(inline="always", **KERNEL)
def plane_words(block, body_stop):  # type: ignore[no-untyped-def]
    """Words of a plane of the block at position `block`."""
    return min(BLOCK, body_stop - block) >> 6


@nb.njit(**KERNEL)
def fetch_body(width, words, start, stop, body, slots, used):  # type: ignore[no-untyped-def]
    """Ask for what `scan_body` of the first FETCHED blocks of start..stop-1 will read."""
    block = body[0] + (start - body[0]) // BLOCK * BLOCK
    last = min(stop, block + FETCHED * BLOCK)
    while block < last:
        stride = plane_words(block, body[1])
        at = block * len(width) + ((max(start, block) - block) >> 6)
        for i in range(used):
            prefetch(words, at + slots[i] * stride)
        block += BLOCK


@nb.njit(inline="always", **KERNEL)
def between(hits, low, high):  # type: ignore[no-untyped-def]
    """The bits low..high-1 of a word; low < 64 and high > 0."""
    if low > 0:
        hits &= ALL << np.uint64(low)
    if high < 64:
        hits &= ALL >> np.uint64(64 - high)
    return hits


@nb.njit(inline="always", **KERNEL)
def planes_of(most):  # type: ignore[no-untyped-def]
    """The planes of values up to `most`."""
    planes = 0
    while most >> planes:
        planes += 1
    return planes


@nb.njit(inline="always", **KERNEL)
def surplus(out, planes, lane, bit):  # type: ignore[no-untyped-def]
    """How many more bits than needed a code has in common with the query."""
    value = np.int64(0)
    for i in range(planes):
        value |= np.int64((out[(1 + i) * LINE + lane] >> np.uint64(bit)) & ONE) << i
    return value


@nb.njit(**KERNEL)
def _take(out, planes, block, start, stop, rows, mask, edges, ring, used, need, best):  # type: ignore[no-untyped-def]
    """Bring the answers of `count_common` among positions start..stop-1 into `best`; `ring` is that of `start`.

    Where more bits in common are needed by now, answers with too few are passed over without a look. Rows ascend in a
    ring, and with as many bits in common later rings are farther: so a tie that came too late asks for one bit more.
    """
    late = 0
    for lane in range((start - block) >> 6, (stop - block + 63) >> 6):
        if out[lane]:  # rows are far away in memory
            prefetch(rows, block + 64 * lane + lowest(out[lane]))
    for lane in range((start - block) >> 6, (stop - block + 63) >> 6):
        origin = block + 64 * lane
        hits = between(out[lane], start - origin, stop - origin)
        lacking = max(((ring + used - np.int64(best[0] >> SHIFT) + 1) >> 1) - need, late)
        if hits and lacking > 0:
            lowest_plane = 0  # a value of `lacking` or more has a bit in this plane or above
            while lacking >> (lowest_plane + 1):
                lowest_plane += 1
            more = np.uint64(0)
            for i in range(lowest_plane, planes):
                more |= out[(1 + i) * LINE + lane]
            hits &= more
        while hits:
            bit = lowest(hits)
            hits &= hits - ONE
            position = origin + bit
            while np.int64(edges[ring + 1]) <= position:
                ring += 1
            value = surplus(out, planes, lane, bit)
            near = np.uint64(ring + used - 2 * (need + value))
            if near > best[0] >> SHIFT:  # its row does not matter
                continue
            row = np.uint64(rows[position])
            key = (near << SHIFT) | row
            if key < best[0]:
                if is_allowed(mask, row):
                    push(best, key)
            elif value == 0:
                late = 1


@nb.njit(**KERNEL)
def scan_body(width, words, rows, mask, edges, body, start, stop, slots, used, out, best):  # type: ignore[no-untyped-def]
    """`scan` of positions start..stop-1 of a body."""
    ring, position = 0, start
    block = body[0] + (start - body[0]) // BLOCK * BLOCK
    while position < stop:
        end = min(block + BLOCK, stop)
        if best[0] == EMPTY:  # few at a time, so that the heap fills and its limit falls
            end = min(end, block + ((position - block) | 63) + 1)
        while np.int64(edges[ring + 1]) <= position:
            ring += 1
        limit = min(np.int64(best[0] >> SHIFT), 64 * len(width))
        need = max((ring + used - limit + 1) >> 1, 0)
        if need > used:
            return
        stride = plane_words(block, body[1])
        lanes = ((position - block) >> 6) // VECTOR * VECTOR, (end - block + 63) >> 6
        ahead = block + FETCHED * BLOCK
        if ahead < stop:
            further = plane_words(ahead, body[1])
            for i in range(used):
                prefetch(words, ahead * len(width) + slots[i] * further)
        if count_common(width, words, block * len(width), stride, lanes, slots, used, need, out):
            _take(
                out, planes_of(used - need), block, position, end, rows, mask, edges, ring, used, need, best
            )
        position = end
        if position == block + BLOCK:
            block = position


@nb.njit(**KERNEL)
def scan_cell(width, words, rows, mask, edges, body, start, stop, query, slots, used, out, best):  # type: ignore[no-untyped-def]
    """`scan` of positions start..stop-1 of a cell; slots and `used` from `differing`."""
    if stop - start <= FEW and (stop <= body[0] or start >= body[1]):  # a call would take longer
        for position in range(start, stop):
            near = distance(width, words, position, query)
            if near <= best[0] >> SHIFT:
                offer(rows, mask, position, near, best)
        return
    if start < body[0]:
        scan(width, words, ZERO, rows, mask, start, min(stop, body[0]), query, best, UNORDERED)
    low, high = max(start, body[0]), min(stop, body[1])
    if low < high:
        scan_body(width, words, rows, mask, edges, body, low, high, slots, used, out, best)
    low = max(start, body[1])
    if low < stop:
        scan(width, words, ZERO, rows, mask, low, stop, query, best, UNORDERED)


# For the one place where the call itself, of so many arguments, would be felt; elsewhere it only takes long to compile.
scan_cell_inline = nb.njit(inline="always", **KERNEL)(scan_cell.py_func)


@nb.njit(**OPTIONS)
def collect_cell(  # type: ignore[no-untyped-def]
    width, words, rows, mask, edges, body, start, stop, query, slots, used, out, radius, keys, size
):
    """`collect` over positions start..stop-1 of a cell."""
    if start < body[0]:
        keys, size = collect(width, words, rows, mask, start, min(stop, body[0]), query, radius, keys, size)
    ring, low, high = 0, max(start, body[0]), min(stop, body[1])
    while low < high:
        block = body[0] + (low - body[0]) // BLOCK * BLOCK
        end = min(block + BLOCK, high)
        while np.int64(edges[ring + 1]) <= low:
            ring += 1
        need = max((ring + used - radius + 1) >> 1, 0)
        if need > used:
            break
        stride = plane_words(block, body[1])
        lanes = ((low - block) >> 6) // VECTOR * VECTOR, (end - block + 63) >> 6
        if count_common(width, words, block * len(width), stride, lanes, slots, used, need, out):
            keys = with_room(keys, size, end - low)
            planes = planes_of(used - need)
            size = _append(
                out, planes, block, low, end, rows, mask, edges, ring, used, need, radius, keys, size
            )
        low = end
    low = max(start, body[1])
    if low < stop:
        keys, size = collect(width, words, rows, mask, low, stop, query, radius, keys, size)
    return keys, size


@nb.njit(**KERNEL)
def _append(out, planes, block, start, stop, rows, mask, edges, ring, used, need, radius, keys, size):  # type: ignore[no-untyped-def]
    """Append the answers of `count_common` among positions start..stop-1 that lie within `radius`; the new size."""
    for lane in range((start - block) >> 6, (stop - block + 63) >> 6):
        origin = block + 64 * lane
        hits = between(out[lane], start - origin, stop - origin)
        while hits:
            bit = lowest(hits)
            hits &= hits - ONE
            while np.int64(edges[ring + 1]) <= origin + bit:
                ring += 1
            near = ring + used - 2 * (need + surplus(out, planes, lane, bit))
            row = np.uint64(rows[origin + bit])
            if near <= radius and is_allowed(mask, row):
                keys[size] = (np.uint64(near) << SHIFT) | row
                size += 1
    return size


@nb.njit(**OPTIONS)
def slice_body(width, words, centre, start, stop):  # type: ignore[no-untyped-def]
    """Turn the codes at positions start..stop-1, a multiple of 64 many, from words to the planes of a body."""
    size = len(width)
    tile = np.empty(CODES, np.uint64)
    for first in range(start, stop, CODES):
        count = min(CODES, stop - first)
        codes = words[first * size : (first + count) * size].copy()
        for w in range(size):
            for code in range(count):
                tile[(code & 63) * LANES + (code >> 6)] = codes[code * size + w] ^ centre[w]
            transpose(tile)
            for lane in range(count >> 6):
                block = first + lane // LINE * BLOCK
                stride = plane_words(block, stop)
                at = block * size + 64 * w * stride + lane % LINE
                for j in range(64):
                    words[at + j * stride] = tile[j * LANES + lane]


@nb.njit(**KERNEL)
def unslice(width, words, centre, first, stop, codes, tile):  # type: ignore[no-untyped-def]
    """The inverse of `slice_body` for the up to CODES codes from the block at `first` on: codes uint64[CODES * W].

    tile uint64[CODES] is scratch.
    """
    size, count = len(width), min(CODES, stop - first)
    for w in range(size):
        for lane in range(count >> 6):
            block = first + lane // LINE * BLOCK
            stride = plane_words(block, stop)
            at = block * size + 64 * w * stride + lane % LINE
            for j in range(64):
                tile[j * LANES + lane] = words[at + j * stride]
        transpose(tile)
        for code in range(count):
            codes[code * size + w] = tile[(code & 63) * LANES + (code >> 6)] ^ centre[w]


@nb.njit(**OPTIONS)
def slice_bodies(width, words, centres, bodies):  # type: ignore[no-untyped-def]
    """`slice_body` in every cell."""
    for c in range(bodies.shape[0]):
        centre = centres[c * len(width) : (c + 1) * len(width)]
        slice_body(width, words, centre, np.int64(bodies[c, 0]), np.int64(bodies[c, 1]))


@nb.njit(**OPTIONS)
def unslice_bodies(width, words, centres, bodies):  # type: ignore[no-untyped-def]
    """All codes as words uint64[N * W], at the same positions."""
    size = len(width)
    plain, codes, tile = words.copy(), np.empty(CODES * size, np.uint64), np.empty(CODES, np.uint64)
    for c in range(bodies.shape[0]):
        centre, stop = centres[c * size : (c + 1) * size], np.int64(bodies[c, 1])
        for first in range(np.int64(bodies[c, 0]), stop, CODES):
            unslice(width, words, centre, first, stop, codes, tile)
            count = min(np.int64(CODES), stop - first)
            for i in range(count * size):
                plain[first * size + i] = codes[i]
    return plain


@nb.njit(**OPTIONS)
def pick(width, words, centres, bodies, wanted):  # type: ignore[no-untyped-def]
    """The codes at positions wanted int64[n], ascending: uint64[n * W]."""
    size, cells = len(width), bodies.shape[0]
    found, codes, tile = (
        np.empty(wanted.size * size, np.uint64), np.empty(CODES * size, np.uint64), np.empty(CODES, np.uint64)
    )  # fmt: skip
    c, held = 0, np.int64(-1)  # cells and positions ascend alike; where the block in `codes` begins
    for i in range(wanted.size):
        position = wanted[i]
        while c < cells and position >= np.int64(bodies[c, 1]):
            c += 1
        low = np.int64(bodies[c, 0]) if c < cells else position + 1
        if position < low:
            found[i * size : (i + 1) * size] = words[position * size : (position + 1) * size]
            continue
        first = low + (position - low) // CODES * CODES
        if first != held:
            centre = centres[c * size : (c + 1) * size]
            unslice(width, words, centre, first, np.int64(bodies[c, 1]), codes, tile)
            held = first
        at = (position - first) * size
        found[i * size : (i + 1) * size] = codes[at : at + size]
    return found


@nb.njit(**OPTIONS)
def histogram_cells(width, words, rows, mask, centres, offsets, bodies, query, counts):  # type: ignore[no-untyped-def]
    """Add the distances of the allowed codes to counts int64[bits + 1]."""
    size, last = len(width), offsets.shape[1] - 1
    codes, tile = np.empty(CODES * size, np.uint64), np.empty(CODES, np.uint64)
    for c in range(bodies.shape[0]):
        centre = centres[c * size : (c + 1) * size]
        low, high = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
        for start, stop in ((np.int64(offsets[c, 0]), low), (high, np.int64(offsets[c, last]))):
            part = words[start * size : stop * size]
            histogram(width, part, rows[start:stop], mask, stop - start, query, counts)
        for first in range(low, high, CODES):
            unslice(width, words, centre, first, high, codes, tile)
            count = min(np.int64(CODES), high - first)
            histogram(width, codes, rows[first : first + count], mask, count, query, counts)
