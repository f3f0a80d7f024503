"""Rings by weights: which of them can hold a code that is near enough.

With |least| and |most| the weights of the n lightest and of the n heaviest bits, a code x of ring r around centre c has

    D(q, x) >= least[|d(q, c) - r|],   D(q, x) >= D(q, c) - most[r],   D(q, x) >= least[r] - D(q, c),

the first by the triangle inequality of plain distances, the others by that of weighted ones, as least[r] <= D(x, c) <= most[r].
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.cells import differing
from taxohash.hamming.kernels.conventions import EMPTY, KERNEL, OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.intrinsics import CODES, LINE, count_planes
from taxohash.hamming.kernels.rings import (
    AHEAD,
    WINDOWS,
    add_window,
    centre_distances,
    find_candidates,
    rule_out,
)
from taxohash.hamming.kernels.weighted import LEVELS, coarsen, fill_table, weigh
from taxohash.hamming.kernels.weighted_cells import scan_cell_weighted, sort_bits


@nb.njit(**KERNEL)
def _reach(least, limit):  # type: ignore[no-untyped-def]
    """The greatest number of bits that can weigh no more than `limit`."""
    low, high = 0, least.size - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if least[middle] <= limit:
            low = middle
        else:
            high = middle - 1
    return np.int64(low)


@nb.njit(**KERNEL)
def _narrow(low, high, weighed, limit, least, most):  # type: ignore[no-untyped-def]
    """Those of the rings low..high of a cell, whose centre is at distance `weighed`, that can hold a code within `limit`."""
    while low <= high and most[low] < weighed - limit:
        low += 1
    while low <= high and least[high] > weighed + limit:
        high -= 1
    return low, high


@nb.njit(**KERNEL)
def _search(width, bits, words, rows, mask, centres, cells, query, asked, sorts, scratch, best, noted):  # type: ignore[no-untyped-def]
    """One query; the codes it looked at.

    First the rings of the nearest centre about the query's own distance to it, until there is a k-th, then the rest of that
    centre's, then those of the other centres, nearest first.
    """
    offsets, extents, _firsts, bodies, neighbours, margins = cells
    order, least, most = sorts
    near, starts, found, windows, slots, bounds, own = scratch
    table = asked[1]
    centre_distances(width, centres, query, near)
    first = np.argmin(near)
    home, weighed = np.int64(near[first]), np.int64(weigh(width, centres, first, query, table))
    edges, body = offsets[first], (np.int64(bodies[first, 0]), np.int64(bodies[first, 1]))
    differing(width, centres, first, query, slots[0])
    touched, seen = np.int64(0), np.int64(-1)
    while best[0] == EMPTY and seen < bits:
        seen += 1
        for sign in (-1, 1):
            ring = home + sign * seen
            if 0 <= ring <= bits and (sign > 0 or seen > 0):
                start, stop = np.int64(edges[ring]), np.int64(edges[ring + 1])
                touched += stop - start
                scan_cell_weighted(
                    width, words, rows, mask, centres, first, edges, body, start, stop, query, asked, order, slots[0],
                    home, bounds, own, best, noted,
                )  # fmt: skip
    reach, count, after = _reach(least, np.int64(best[0] >> SHIFT)), ZERO, 1 if seen < 0 else seen + 1
    for low, high in ((home - reach, home - seen - 1), (home + after, home + reach)):
        low, high = _narrow(max(low, 0), min(high, bits), weighed, np.int64(best[0] >> SHIFT), least, most)
        if low <= high:
            start, stop = np.int64(edges[low]), np.int64(edges[high + 1])
            count = add_window(
                width, words, centres, bodies, query, first, start, stop, windows, slots, count
            )
    for j in range(count):
        start, stop = windows[j, 1], windows[j, 2]
        touched += stop - start
        scan_cell_weighted(
            width, words, rows, mask, centres, first, edges, body, start, stop, query, asked, order, slots[j], home,
            bounds, own, best, noted,
        )  # fmt: skip
    reach = _reach(least, np.int64(best[0] >> SHIFT))
    rule_out(near, first, neighbours, margins, reach)
    count = find_candidates(near, extents, np.int32(reach), first, starts, found)
    done, added, scanned, ahead = 0, ZERO, 0, 2
    while True:
        while done < count and added < scanned + ahead:  # so that their cache misses overlap
            c = np.int64(found[1, done])
            done += 1
            limit = np.int64(best[0] >> SHIFT)
            while least[reach] > limit:
                reach -= 1
            away = np.int64(near[c])
            weighed = np.int64(weigh(width, centres, c, query, table))
            low, high = max(away - reach, np.int64(extents[0, c])), min(away + reach, np.int64(extents[1, c]))
            low, high = _narrow(low, high, weighed, limit, least, most)
            if low <= high:
                start, stop = np.int64(offsets[c, low]), np.int64(offsets[c, high + 1])
                added = add_window(
                    width, words, centres, bodies, query, c, start, stop, windows, slots, added
                )
        if scanned == added:
            return touched
        at = scanned % WINDOWS
        c, start, stop = windows[at, 0], windows[at, 1], windows[at, 2]
        touched += stop - start
        part = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
        scan_cell_weighted(
            width, words, rows, mask, centres, c, offsets[c], part, start, stop, query, asked, order, slots[at],
            np.int64(near[c]), bounds, own, best, noted,
        )  # fmt: skip
        scanned += 1
        ahead = min(ahead + 1, AHEAD)


@nb.njit(**OPTIONS)
def search_rings_weighted(width, bits, words, rows, mask, centres, cells, queries, weights, best, noted):  # type: ignore[no-untyped-def]
    """`rings.search_rings` by weights uint32[Q, 64 * W]; the heaps may be full of a bound."""
    count = cells[0].shape[0]
    table = np.empty(len(width) << 11, np.uint32)
    masks = np.empty(LEVELS * len(width), np.uint64)
    keys = np.empty(bits, np.int64)
    sorts = np.empty(bits, np.int64), np.empty(bits + 1, np.int64), np.empty(bits + 1, np.int64)
    scratch = (
        np.empty(count, np.int32),
        np.empty(bits + 2, np.int32),
        np.empty((2, count), np.int32),
        np.empty((WINDOWS, 3), np.int64),
        np.empty((WINDOWS, 64 * len(width)), np.int32),
        (np.empty(bits, np.int64), np.empty(bits + 1, np.int64), np.empty(bits + 2, np.int64)),
        (
            np.empty((count_planes(width) + 1) * LINE, np.uint64),
            np.empty(CODES * len(width), np.uint64),
            np.empty(CODES, np.uint64),
        ),
    )
    total = np.int64(0)
    for q in range(queries.shape[0]):
        fill_table(weights[q], table)
        drop = coarsen(weights[q], masks)
        sort_bits(bits, weights[q], keys, sorts[0], sorts[1], sorts[2])
        asked = weights[q], table, masks, drop
        total += _search(
            width,
            bits,
            words,
            rows,
            mask,
            centres,
            cells,
            queries[q],
            asked,
            sorts,
            scratch,
            best[q],
            noted[q],
        )
    return total
