"""Kernels that skip codes by the triangle inequality around centres.

Codes are grouped by a near centre c into cells and, within a cell, by their distance to it. As |d(q, c) - d(x, c)| <= d(q, x),
only the rings of c whose radius is within the current k-th distance of d(q, c) can hold an answer, and these lie in
one run of positions. And where no code x of c is nearer to another centre e than to c by more than was measured,
d(x, c) - d(x, e) <= m, twice the triangle inequality gives

    2 d(q, x) >= d(q, c) - d(q, e) - m,

which leaves out most cells beside the one of the query's nearest centre e (Uhlmann's generalised hyperplanes, 1991, with a
margin). Nothing depends on how good the centres are except the time: any grouping answers exactly.
How the codes of a cell are kept and compared: `cells`.

`cells` is (offsets, extents int32[2, C], the least and the greatest radius of each centre, firsts uint32[C, bits + 1], the least row
of each ring, bodies uint32[C, 2], neighbours uint16[C, P] and their margins m int16[C, P]). `centres` is uint64[C * W]. The codes of centre c at distance r lie at positions offsets[c, r] to offsets[c, r + 1],
with offsets uint32[C, bits + 2]. Other conventions as in `flat`.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.cells import collect_cell, differing, fetch_body, scan_cell, scan_cell_inline
from taxohash.hamming.kernels.conventions import EMPTY, KERNEL, LOW, OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.flat import distance
from taxohash.hamming.kernels.intrinsics import LINE, count_planes, prefetch

AHEAD = 14  # windows asked for before the first of them is scanned
WINDOWS = 16  # room for them: AHEAD and the two that a cell may add
STEP = 16  # centres asked at once whether they may matter
FETCHED = 32 * LINE  # words of a window asked for ahead; the CPU follows a longer run by itself
LIKELY = 5  # rings about its own distance that a query's nearest centre is looked at first
CHUNK = 1024  # codes of a ring after which it is asked whether the rest can matter
FEW = 64  # codes of a ring too few to be worth asking for its first row
SMALL = 4096  # codes of a ring that take no longer to read than to ask for the place to stop
AWAY = np.int32(1 << 20)  # farther than any centre
TRIAL = 4  # queries of a batch after which it is asked whether skipping pays


@nb.njit(**KERNEL)
def centre_distances(width, centres, query, near):  # type: ignore[no-untyped-def]
    """Distances of `query` to all centres into near int32[C]."""
    for c in range(near.size):
        near[c] = np.int32(distance(width, centres, c, query))


@nb.njit(**KERNEL)
def rule_out(near, first, neighbours, margins, limit):  # type: ignore[no-untyped-def]
    """Put the neighbours of the nearest centre that have no code within `limit` out of reach."""
    for i in range(neighbours.shape[1]):
        c = np.int64(neighbours[first, i])
        if np.int64(near[c]) - np.int64(near[first]) - np.int64(margins[first, i]) > 2 * limit:
            near[c] = AWAY


@nb.njit(**KERNEL)
def find_candidates(near, extents, limit, first, starts, order):  # type: ignore[no-untyped-def]
    """The centres, without `first`, that may have a code within `limit`, nearest first, into order int32[2, C].

    Returns how many they are, in order[1]. starts int32[bits + 2] is scratch for a counting sort.
    """
    found, count = order[0], 0
    for block in range(0, near.size, STEP):  # like centres lie together, so most blocks have none
        far = near[block : block + STEP]
        least, greatest = extents[0, block : block + STEP], extents[1, block : block + STEP]
        some = 0
        for i in range(far.size):
            some += (far[i] <= greatest[i] + limit) & (far[i] + limit >= least[i])
        if some:
            for i in range(far.size):
                found[count] = block + i
                count += (far[i] <= greatest[i] + limit) & (far[i] + limit >= least[i]) & (block + i != first)
    starts.fill(0)
    for i in range(count):
        starts[near[found[i]] + 1] += 1
    for d in range(1, starts.size):
        starts[d] += starts[d - 1]
    for i in range(count):
        d = near[found[i]]
        order[1, starts[d]] = found[i]
        starts[d] += 1
    return count


@nb.njit(inline="always", **KERNEL)
def _least_key(rows, position, floor):  # type: ignore[no-untyped-def]
    """The least key that a code at `position` or later in its ring can have, if none is nearer than `floor`."""
    return (np.uint64(floor) << SHIFT) | np.uint64(rows[position])


@nb.njit(**KERNEL)
def _first_beyond(rows, start, stop, floor, best):  # type: ignore[no-untyped-def]
    """The first position of the ring start..stop-1 from which no code can enter `best` any more."""
    while start < stop:
        middle = (start + stop) // 2
        if _least_key(rows, middle, floor) < best[0]:
            start = middle + 1
        else:
            stop = middle
    return start


@nb.njit(**KERNEL)
def _end(rows, firsts, start, stop, cell, ring, floor, best):  # type: ignore[no-untyped-def]
    """Where to stop in a ring at start..stop-1, none of whose codes is nearer than `floor`.

    A small ring is read whole, unless nothing of it can enter.
    """
    if (np.uint64(floor) << SHIFT) | np.uint64(firsts[cell, ring]) >= best[0]:
        return start
    return _first_beyond(rows, start, stop, floor, best) if stop - start > SMALL else stop


@nb.njit(**KERNEL)
def _scan_ring(width, words, rows, mask, edges, body, start, stop, query, slots, used, out, best, floor):  # type: ignore[no-untyped-def]
    """`scan_cell` of one ring, none of whose codes is nearer than `floor`; the codes looked at."""
    position = start
    while position < stop and (
        np.uint64(floor) < best[0] >> SHIFT or _least_key(rows, position, floor) < best[0]
    ):
        end = min(position + CHUNK, stop)
        scan_cell(width, words, rows, mask, edges, body, position, end, query, slots, used, out, best)
        position = end
    return position - start


@nb.njit(**KERNEL)
def add_window(width, words, centres, bodies, query, cell, start, stop, windows, slots, count):  # type: ignore[no-untyped-def]
    """Note a run of codes of a cell to be scanned and ask for its memory; how many there are now."""
    if stop <= start:
        return count
    low, high = np.int64(bodies[cell, 0]), np.int64(bodies[cell, 1])
    at = count % WINDOWS
    windows[at, 0], windows[at, 1], windows[at, 2] = cell, start, stop
    for first, last in ((start, min(stop, low)), (max(start, high), stop)):
        for word in range(first * len(width), min(last * len(width), first * len(width) + FETCHED), LINE):
            prefetch(words, word)
    if max(start, low) < min(stop, high):
        used = differing(width, centres, cell, query, slots[at])
        fetch_body(width, words, max(start, low), min(stop, high), (low, high), slots[at], used)
    return count + 1


_add_window_inline = nb.njit(inline="always", **KERNEL)(add_window.py_func)  # as scan_cell_inline


@nb.njit(**KERNEL)
def _add_rings(width, words, rows, centres, cells, query, cell, near, limit, radii, best, windows, slots, at):  # type: ignore[no-untyped-def]
    """Note the rings radii[0] to radii[1] of a cell at distance `near`: one run of codes, or two if its lowest ring is cut.

    Codes of the rings near - limit and near + limit can only tie with the k-th: those that lose are left.
    """
    offsets, _extents, firsts, bodies, _neighbours, _margins = cells
    first, last = max(radii[0], 0), min(radii[1], offsets.shape[1] - 2)
    if first > last:
        return at
    start, stop = np.int64(offsets[cell, first]), np.int64(offsets[cell, last + 1])
    if last == near + limit:
        stop = _end(rows, firsts, np.int64(offsets[cell, last]), stop, cell, last, limit, best)
        last -= 1
    if first == near - limit and first <= last:
        second = np.int64(offsets[cell, first + 1])
        end = _end(rows, firsts, start, second, cell, first, limit, best)
        if end < second:
            at = add_window(width, words, centres, bodies, query, cell, start, end, windows, slots, at)
            start = second
    return add_window(width, words, centres, bodies, query, cell, start, stop, windows, slots, at)


@nb.njit(**KERNEL)
def _largest_ring(offsets, cell, low, high):  # type: ignore[no-untyped-def]
    """The codes of the largest of the rings low..high of a cell."""
    largest = np.int64(0)
    for ring in range(low, high + 1):
        largest = max(largest, np.int64(offsets[cell, ring + 1]) - np.int64(offsets[cell, ring]))
    return largest


@nb.njit(**KERNEL)
def _search(width, bits, words, rows, mask, centres, cells, query, scratch, best, budget):  # type: ignore[no-untyped-def]
    """One query; the codes it looked at, or -1 if that would be more than `budget`.

    First the rings of the nearest centre about the query's own distance to it: together, or where one of them holds
    many of the codes, likely copies, one by one from the ring in which a copy of the query would lie. Then the rest of that
    centre's, then those of the other centres, nearest first.
    """
    offsets, extents, _firsts, bodies, neighbours, margins = cells
    near, starts, order, windows, slots, out = scratch
    centre_distances(width, centres, query, near)
    first = np.argmin(near)
    home = np.int64(near[first])
    low, high = max(home - LIKELY, 0), min(home + LIKELY, bits)
    start, stop = np.int64(offsets[first, low]), np.int64(offsets[first, high + 1])
    touched, seen = np.int64(0), np.int64(-1)
    edges, body = offsets[first], (np.int64(bodies[first, 0]), np.int64(bodies[first, 1]))
    differing(width, centres, first, query, slots[0])
    if _largest_ring(offsets, first, low, high) <= max((stop - start) // 4, CHUNK):
        touched, seen = stop - start, np.int64(LIKELY)
        scan_cell(width, words, rows, mask, edges, body, start, stop, query, slots[0], home, out, best)
    while best[0] == EMPTY and seen < bits:  # until there is a k-th
        seen += 1
        for sign in (-1, 1):
            ring = home + sign * seen
            if 0 <= ring <= bits and (sign > 0 or seen > 0):
                start, stop = np.int64(offsets[first, ring]), np.int64(offsets[first, ring + 1])
                touched += _scan_ring(
                    width, words, rows, mask, edges, body, start, stop, query, slots[0], home, out, best, seen
                )
    reach = max(seen, LIKELY)
    while True:  # the rest of this centre's rings
        limit = min(np.int64(best[0] >> SHIFT), bits)
        if seen >= limit:
            break
        reach, count = min(reach, limit), ZERO
        for radii in ((home - reach, home - seen - 1), (home + seen + 1, home + reach)):
            count = _add_rings(
                width, words, rows, centres, cells, query, first, home, limit, radii, best, windows, slots, count
            )  # fmt: skip
        for j in range(count):
            start, stop = windows[j, 1], windows[j, 2]
            touched += stop - start
            scan_cell(width, words, rows, mask, edges, body, start, stop, query, slots[j], home, out, best)
        seen, reach = reach, bits
    limit = min(np.int64(best[0] >> SHIFT), bits)
    rule_out(near, first, neighbours, margins, limit)
    candidates = find_candidates(near, extents, np.int32(limit), first, starts, order)
    done, added, scanned, ahead = 0, ZERO, 0, 2
    while touched <= budget:
        while done < candidates and added < scanned + ahead:  # so that their cache misses overlap
            limit = min(np.int64(best[0] >> SHIFT), bits)
            c, further = np.int64(order[1, done]), order[1, min(done + AHEAD, candidates - 1)]
            prefetch(offsets, further * offsets.shape[1] + max(np.int64(near[further]) - limit, 0))
            done += 1
            away = np.int64(near[c])
            if np.int64(best[0] & LOW) * FEW < rows.size:
                radii = away - limit, away + limit
                added = _add_rings(
                    width, words, rows, centres, cells, query, c, away, limit, radii, best, windows, slots, added
                )  # fmt: skip
            else:  # few rings begin beyond the k-th's row
                start = np.int64(offsets[c, max(away - limit, 0)])
                stop = np.int64(offsets[c, min(away + limit, bits) + 1])
                added = _add_window_inline(
                    width, words, centres, bodies, query, c, start, stop, windows, slots, added
                )
        if scanned == added:
            return touched
        at = scanned % WINDOWS
        c, start, stop = windows[at, 0], windows[at, 1], windows[at, 2]
        touched += stop - start
        part = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
        scan_cell_inline(
            width,
            words,
            rows,
            mask,
            offsets[c],
            part,
            start,
            stop,
            query,
            slots[at],
            np.int64(near[c]),
            out,
            best,
        )
        scanned += 1
        ahead = min(ahead + 1, AHEAD)
    return np.int64(-1)


@nb.njit(**OPTIONS)
def search_rings(width, bits, words, rows, mask, centres, cells, queries, best, budget):  # type: ignore[no-untyped-def]
    """Bring the nearest codes of queries uint64[Q, W] into the empty heaps best uint64[Q, k]; the codes looked at.

    A query that would look at more than `budget` codes is begun afresh, with all other such queries, cell by cell, so
    that a cell is read once for all. When most queries of a batch come to that, the rest are not tried.
    """
    many = queries.shape[0]
    count = cells[0].shape[0]
    scratch = (
        np.empty(count, np.int32),
        np.empty(bits + 2, np.int32),
        np.empty((2, count), np.int32),
        np.empty((WINDOWS, 3), np.int64),
        np.empty((WINDOWS, 64 * len(width)), np.int32),
        np.empty((count_planes(width) + 1) * LINE, np.uint64),
    )
    left = np.empty(many, np.int64)
    total, failed = np.int64(0), 0
    for q in range(many):
        touched = np.int64(-1)
        if q < TRIAL or 2 * failed <= q:
            touched = _search(
                width, bits, words, rows, mask, centres, cells, queries[q], scratch, best[q], budget
            )
        if touched < 0:
            best[q] = EMPTY
            left[failed] = q
            failed += 1
        else:
            total += touched
    if failed:
        total += _search_cells(
            width, bits, words, rows, mask, centres, cells, queries, best, left[:failed], scratch
        )
    return total


@nb.njit(**KERNEL)
def _search_cells(width, bits, words, rows, mask, centres, cells, queries, best, left, scratch):  # type: ignore[no-untyped-def]
    """The queries `left`, cell by cell; the codes looked at."""
    offsets, _extents, _firsts, bodies, _neighbours, _margins = cells
    slots, out = scratch[4][0], scratch[5]
    total = np.int64(0)
    for c in range(offsets.shape[0]):
        body = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
        for i in range(left.size):
            q = left[i]
            used = differing(width, centres, c, queries[q], slots)
            limit = min(np.int64(best[q, 0] >> SHIFT), bits)
            start = np.int64(offsets[c, min(max(used - limit, 0), bits + 1)])
            stop = np.int64(offsets[c, min(used + limit, bits) + 1])
            if start < stop:
                total += stop - start
                scan_cell(
                    width, words, rows, mask, offsets[c], body, start, stop, queries[q], slots, used, out, best[q]
                )  # fmt: skip
    return total


@nb.njit(**OPTIONS)
def collect_rings(width, bits, words, rows, mask, centres, cells, query, radius, keys, size):  # type: ignore[no-untyped-def]
    """`collect` over the rings that can hold a code within `radius`."""
    offsets, _extents, _firsts, bodies, _neighbours, _margins = cells
    slots = np.empty(64 * len(width), np.int32)
    out = np.empty((count_planes(width) + 1) * LINE, np.uint64)
    for c in range(offsets.shape[0]):
        near = np.int64(distance(width, centres, c, query))
        start = np.int64(offsets[c, min(max(near - radius, 0), bits + 1)])
        stop = np.int64(offsets[c, min(near + radius, bits) + 1])
        if stop > start:
            differing(width, centres, c, query, slots)
            body = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
            keys, size = collect_cell(
                width,
                words,
                rows,
                mask,
                offsets[c],
                body,
                start,
                stop,
                query,
                slots,
                near,
                out,
                radius,
                keys,
                size,
            )
    return keys, size
