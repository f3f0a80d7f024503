"""Weighted distances of the codes of a cell, most of them known to be too great from how many bits they have in common.

With A the bits in which query and centre c differ, and E those in which a code x and c differ, r = |E| of them, x differs from
the query in A outside of E and in E outside of A. Of x in ring r with t = |A & E| that is |A| - t bits of A and r - t others, so

    D(q, x) >= inside[|A| - t] + outside[r - t],

where inside[n] and outside[n] are the weights of the n lightest bits in A and not in A. It falls with t, so a limit of D asks for
some t: what `intrinsics.count_common` answers from the planes of A, which are few where query and centre are near. Of what is
left first the planes of A are weighed, then the others, lightest first, until it is too much.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.cells import (
    ALL,
    BLOCK,
    FETCHED,
    FEW,
    between,
    plane_words,
    planes_of,
    surplus,
    unslice,
)
from taxohash.hamming.kernels.conventions import EMPTY, KERNEL, LOW, SHIFT, ZERO
from taxohash.hamming.kernels.flat import offer_noted
from taxohash.hamming.kernels.intrinsics import CODES, ONE, VECTOR, count_common, lowest, popcount, prefetch
from taxohash.hamming.kernels.weighted import scan_weighted, weigh, weigh_coarsely

FAR = np.int64(1 << 40)
MANY = 64  # codes of a block that take longer to weigh by themselves than to turn 2,048 into words


@nb.njit(**KERNEL)
def sort_bits(bits, weights, keys, order, least, most):  # type: ignore[no-untyped-def]
    """The places of the bits of a code, lightest first, into order int64[bits]; keys int64[bits] is scratch.

    least and most, int64[bits + 1], become the weights of the n lightest and of the n heaviest bits.
    """
    for j in range(bits):
        place = j ^ 7  # as codes come packed
        keys[j] = np.int64(weights[place]) << 10 | place
    for j in range(bits):  # how many are lighter is where it belongs: quick in vectors
        rank, key = 0, keys[j]
        for i in range(bits):
            rank += keys[i] < key
        order[rank] = key & 1023
    least[0] = most[0] = 0
    for i in range(bits):
        least[i + 1] = least[i] + np.int64(weights[order[i]])
        most[i + 1] = most[i] + np.int64(weights[order[bits - 1 - i]])


@nb.njit(**KERNEL)
def part_bits(width, centres, cell, query, weights, order, bounds):  # type: ignore[no-untyped-def]
    """Fill bounds = (others, inside, outside) for a cell; `others` are the bits not in A, lightest first."""
    others, inside, outside = bounds
    used, left = 0, 0
    inside[0] = outside[0] = 0
    for i in range(order.size):
        place = order[i]
        w = place >> 6
        weight = np.int64(weights[place])
        if ((centres[cell * len(width) + w] ^ query[w]) >> np.uint64(place & 63)) & ONE:
            inside[used + 1] = inside[used] + weight
            used += 1
        else:
            others[left] = place
            outside[left + 1] = outside[left] + weight
            left += 1
    for i in range(left + 1, outside.size):  # there are no more bits
        outside[i] = FAR


@nb.njit(inline="always", **KERNEL)
def _bound(bounds, ring, used, common):  # type: ignore[no-untyped-def]
    """The least distance of a code of a ring that has so many bits of A."""
    return bounds[1][used - common] + bounds[2][ring - common]


@nb.njit(**KERNEL)
def _needed(bounds, ring, used, limit):  # type: ignore[no-untyped-def]
    """How many bits of A a code of a ring needs to be within `limit`; -1 where none can be."""
    common = min(used, ring)
    if _bound(bounds, ring, used, common) > limit:
        return -1
    while common > 0 and _bound(bounds, ring, used, common - 1) <= limit:
        common -= 1
    return common


@nb.njit(**KERNEL)
def _take(  # type: ignore[no-untyped-def]
    words,
    at,
    stride,
    out,
    planes,
    block,
    start,
    stop,
    rows,
    mask,
    ring,
    slots,
    used,
    need,
    weights,
    bounds,
    best,
    noted,
):
    """Bring the answers of `count_common` among positions start..stop-1, all of one ring, into `best`."""
    others, inside, outside = bounds
    for lane in range((start - block) >> 6, (stop - block + 63) >> 6):
        origin = block + 64 * lane
        hits = between(out[lane], start - origin, stop - origin)
        while hits:
            bit = np.uint64(lowest(hits))
            hits &= hits - ONE
            limit = np.int64(best[0] >> SHIFT)
            common = need + surplus(out, planes, lane, bit)
            more = ring - common  # of the other bits
            if inside[used - common] + outside[more] > limit:
                continue
            place = at + lane
            near = np.int64(0)
            for i in range(used):
                has = (words[np.uint64(place + slots[i] * stride)] >> bit) & ONE
                near += np.int64(weights[slots[i]]) * np.int64(has ^ ONE)
            i = 0
            while more > 0 and near + outside[i + more] - outside[i] <= limit:
                other = others[i]
                has = np.int64((words[np.uint64(place + other * stride)] >> bit) & ONE)
                near += np.int64(weights[np.uint64(other)]) * has
                more -= has
                i += 1
            if more == 0:
                offer_noted(rows, mask, origin + np.int64(bit), np.uint64(near), best, noted)


@nb.njit(**KERNEL)
def _scan_body(  # type: ignore[no-untyped-def]
    width,
    words,
    rows,
    mask,
    centre,
    edges,
    body,
    start,
    stop,
    query,
    asked,
    slots,
    used,
    bounds,
    scratch,
    best,
    noted,
):
    """`scan_weighted` of positions start..stop-1 of a body."""
    weights, table, masks, drop = asked
    out, codes, tile = scratch
    ring, position = 0, start
    while position < stop:
        while np.int64(edges[ring + 1]) <= position:
            ring += 1
        block = body[0] + (position - body[0]) // BLOCK * BLOCK
        end = min(block + BLOCK, stop, np.int64(edges[ring + 1]))
        if best[0] == EMPTY and ring == 0:  # copies of the centre: a few fill the heap
            end = min(end, block + ((position - block) | 63) + 1)
        limit = np.int64(best[0] >> SHIFT)
        need = _needed(bounds, ring, used, limit)
        if need >= 0 and _bound(bounds, ring, used, need) == limit and rows[position] > best[0] & LOW:
            need = _needed(bounds, ring, used, limit - 1)  # rows ascend in a ring: a tie comes too late
        if need < 0:
            position = min(stop, np.int64(edges[ring + 1]))
            continue
        stride = plane_words(block, body[1])
        first, last = (position - block) >> 6, (end - block + 63) >> 6
        lanes = first // VECTOR * VECTOR, last
        at = block * len(width)
        ahead = block + FETCHED * BLOCK
        if ahead < stop:
            further = plane_words(ahead, body[1])
            for i in range(used):
                prefetch(words, ahead * len(width) + slots[i] * further)
        hits = np.uint64(0)
        if best[0] == EMPTY and ring > 0:  # so that its limit falls at once
            hits = ALL
        elif count_common(width, words, at, stride, lanes, slots, used, need, out):
            for lane in range(first, last):
                hits += popcount(out[lane])
        if hits > MANY:
            end = min(block + CODES, stop)
            unslice(width, words, centre, block, body[1], codes, tile)
            scan_weighted(
                width, codes, block, rows, mask, position - block, end - block, query, table, masks, drop, best, noted
            )  # fmt: skip
        elif hits:
            planes = planes_of(used - need)
            _take(
                words, at, stride, out, planes, block, position, end, rows, mask, ring, slots, used, need, weights,
                bounds, best, noted,
            )  # fmt: skip
        position = end


@nb.njit(**KERNEL)
def scan_cell_weighted(  # type: ignore[no-untyped-def]
    width, words, rows, mask, centres, cell, edges, body, start, stop, query, asked, order, slots, used, bounds, scratch, best, noted
):  # fmt: skip
    """`scan_weighted` of positions start..stop-1 of a cell; slots and `used` from `cells.differing`."""
    weights, table, masks, drop = asked
    low, high = max(start, body[0]), min(stop, body[1])
    for first, last in ((start, min(stop, body[0])), (max(start, body[1]), stop)):
        if last - first > FEW:
            scan_weighted(width, words, ZERO, rows, mask, first, last, query, table, masks, drop, best, noted)
            continue
        for position in range(first, last):
            if weigh_coarsely(width, words, position, query, masks) <= np.int64(best[0] >> SHIFT) >> drop:
                offer_noted(rows, mask, position, weigh(width, words, position, query, table), best, noted)
    if low < high:
        part_bits(width, centres, cell, query, weights, order, bounds)
        centre = centres[cell * len(width) : (cell + 1) * len(width)]
        _scan_body(
            width, words, rows, mask, centre, edges, body, low, high, query, asked, slots, used, bounds, scratch, best, noted
        )  # fmt: skip
