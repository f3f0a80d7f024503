"""Kernels that skip codes by the triangle inequality around centres.

Codes are grouped by a near centre c and, within a group, by their distance to it. As |d(q, c) - d(x, c)| <= d(q, x),
only the rings of c whose radius is within the current k-th distance of d(q, c) can hold an answer, and these lie in
one run of memory. Nothing depends on how good the centres are except the time: any grouping answers exactly.

`centres` is uint64[C * W]. The codes of centre c at distance r lie at positions offsets[c, r] to offsets[c, r + 1],
with offsets uint32[C, bits + 2]. Other conventions as in `flat`.
"""

import numba as nb
import numpy as np

from taxohash.hamming.flat import EMPTY, LOW, OPTIONS, SHIFT, collect, distance, scan
from taxohash.hamming.intrinsics import prefetch

FAR = np.int64(1 << 62)
AHEAD = 16  # windows asked for before the first of them is scanned
STEP = 16  # centres asked at once whether they may matter
LINE = 8  # words of a cache line
FETCHED = 32 * LINE  # words of a window asked for ahead; the CPU follows a longer run by itself
LIKELY = 5  # rings about its own distance that a query's nearest centre is looked at first
CHUNK = 1024  # codes of a ring after which it is asked whether the rest can matter
FEW = 64  # codes of a ring too few to be worth asking for its first row
SMALL = 4096  # codes of a ring that take no longer to read than to ask for the place to stop
TRIAL = 4  # queries of a batch after which it is asked whether skipping pays


@nb.njit(**OPTIONS)
def centre_distances(width, centres, query, near):  # type: ignore[no-untyped-def]
    """Distances of `query` to all centres into near int32[C]."""
    for c in range(near.size):
        near[c] = np.int32(distance(width, centres, c, query))


@nb.njit(**OPTIONS)
def _candidates(near, extents, limit, first, starts, order):  # type: ignore[no-untyped-def]
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


@nb.njit(inline="always", **OPTIONS)
def _least_key(rows, position, floor):  # type: ignore[no-untyped-def]
    """The least key that a code at `position` or later in its ring can have, if none is nearer than `floor`."""
    return (np.uint64(floor) << SHIFT) | np.uint64(rows[position])


@nb.njit(**OPTIONS)
def _first_beyond(rows, start, stop, floor, best):  # type: ignore[no-untyped-def]
    """The first position of the ring start..stop-1 from which no code can enter `best` any more."""
    while start < stop:
        middle = (start + stop) // 2
        if _least_key(rows, middle, floor) < best[0]:
            start = middle + 1
        else:
            stop = middle
    return start


@nb.njit(**OPTIONS)
def _end(rows, firsts, start, stop, cell, ring, floor, best):  # type: ignore[no-untyped-def]
    """Where to stop in a ring at start..stop-1, none of whose codes is nearer than `floor`.

    A small ring is read whole, unless nothing of it can enter.
    """
    if (np.uint64(floor) << SHIFT) | np.uint64(firsts[cell, ring]) >= best[0]:
        return start
    return _first_beyond(rows, start, stop, floor, best) if stop - start > SMALL else stop


@nb.njit(**OPTIONS)
def _scan_ring(width, words, rows, mask, start, stop, query, best, floor):  # type: ignore[no-untyped-def]
    """`scan` of one ring, none of whose codes is nearer than `floor`; the codes looked at."""
    position = start
    while position < stop and (
        np.uint64(floor) < best[0] >> SHIFT or _least_key(rows, position, floor) < best[0]
    ):
        end = min(position + CHUNK, stop)
        scan(width, words, 0, rows, mask, position, end, query, best, False)
        position = end
    return position - start


@nb.njit(**OPTIONS)
def _add_window(width, words, windows, count, start, stop):  # type: ignore[no-untyped-def]
    """Note a run of codes to be scanned and ask for its memory; how many there are now."""
    if stop <= start:
        return count
    windows[count, 0], windows[count, 1] = start, stop
    for word in range(start * len(width), min(stop * len(width), start * len(width) + FETCHED), LINE):
        prefetch(words, word)
    return count + 1


@nb.njit(**OPTIONS)
def _add_rings(width, words, rows, offsets, firsts, cell, near, limit, low, high, tied, best, windows, count):  # type: ignore[no-untyped-def]
    """Note the rings low..high of a cell at distance `near`: one run of codes, or two if its lowest ring is cut.

    Codes of the rings near - limit and near + limit can only tie with the k-th. Where `tied`, those that lose are left.
    """
    first, last = max(low, 0), min(high, offsets.shape[1] - 2)
    if first > last:
        return count
    start, stop = np.int64(offsets[cell, first]), np.int64(offsets[cell, last + 1])
    if tied and last == near + limit:
        stop = _end(rows, firsts, np.int64(offsets[cell, last]), stop, cell, last, limit, best)
        last -= 1
    if tied and first == near - limit and first <= last:
        second = np.int64(offsets[cell, first + 1])
        end = _end(rows, firsts, start, second, cell, first, limit, best)
        if end < second:
            count = _add_window(width, words, windows, count, start, end)
            start = second
    return _add_window(width, words, windows, count, start, stop)


@nb.njit(**OPTIONS)
def _largest_ring(offsets, cell, low, high):  # type: ignore[no-untyped-def]
    """The codes of the largest of the rings low..high of a cell."""
    largest = np.int64(0)
    for ring in range(low, high + 1):
        largest = max(largest, np.int64(offsets[cell, ring + 1]) - np.int64(offsets[cell, ring]))
    return largest


@nb.njit(**OPTIONS)
def _search(width, bits, words, rows, mask, centres, cells, query, scratch, best, budget):  # type: ignore[no-untyped-def]
    """One query; the codes it looked at, or -1 if that would be more than `budget`.

    First the rings of the nearest centre about the query's own distance to it: together, or where one of them holds
    many of the codes, likely copies, one by one from the ring in which a copy of the query would lie. Then the rest of that
    centre's, then those of the other centres, nearest first.
    """
    offsets, extents, firsts = cells
    near, starts, order, windows = scratch
    centre_distances(width, centres, query, near)
    first = np.argmin(near)
    home = np.int64(near[first])
    low, high = max(home - LIKELY, 0), min(home + LIKELY, bits)
    start, stop = np.int64(offsets[first, low]), np.int64(offsets[first, high + 1])
    touched, seen = np.int64(0), np.int64(-1)
    if _largest_ring(offsets, first, low, high) <= max((stop - start) // 4, CHUNK):
        touched, seen = stop - start, np.int64(LIKELY)
        scan(width, words, 0, rows, mask, start, stop, query, best, False)
    while best[0] == EMPTY and seen < bits:  # until there is a k-th
        seen += 1
        for sign in (-1, 1):
            ring = home + sign * seen
            if 0 <= ring <= bits and (sign > 0 or seen > 0):
                start, stop = np.int64(offsets[first, ring]), np.int64(offsets[first, ring + 1])
                touched += _scan_ring(width, words, rows, mask, start, stop, query, best, seen)
    reach, done, wanted = max(seen, LIKELY), 0, 2
    candidates = -1
    while True:
        limit = min(np.int64(best[0] >> SHIFT), bits)
        tied = np.int64(best[0] & LOW) * FEW < rows.size  # else few rings begin beyond the k-th's row
        count = 0
        if seen < limit:
            reach = min(reach, limit)
            for low, high in ((home - reach, home - seen - 1), (home + seen + 1, home + reach)):
                count = _add_rings(
                    width, words, rows, offsets, firsts, first, home, limit, low, high, tied, best, windows, count
                )  # fmt: skip
            seen, reach = reach, bits
        else:
            if candidates < 0:
                candidates = _candidates(near, extents, np.int32(limit), first, starts, order)
            if done == candidates:
                return touched
            while done < candidates and count < wanted:  # in batches: their cache misses overlap
                c = order[1, done]
                done += 1
                low, high = np.int64(near[c]) - limit, np.int64(near[c]) + limit
                if tied:
                    count = _add_rings(
                        width, words, rows, offsets, firsts, c, low + limit, limit, low, high, tied, best, windows, count
                    )  # fmt: skip
                    continue
                start, stop = np.int64(offsets[c, max(low, 0)]), np.int64(offsets[c, min(high, bits) + 1])
                if stop > start:  # what _add_window does: a call would take longer
                    windows[count, 0], windows[count, 1] = start, stop
                    count += 1
                    end = min(stop * len(width), start * len(width) + FETCHED)
                    for word in range(start * len(width), end, LINE):
                        prefetch(words, word)
            wanted = min(2 * wanted, AHEAD)
        for j in range(count):
            touched += windows[j, 1] - windows[j, 0]
        if touched > budget:
            return np.int64(-1)
        for j in range(count):
            scan(width, words, 0, rows, mask, windows[j, 0], windows[j, 1], query, best, False)


@nb.njit(**OPTIONS)
def search_rings(width, bits, words, rows, mask, centres, cells, queries, best, budget, left):  # type: ignore[no-untyped-def]
    """Bring the codes that queries uint64[Q, W] need into best uint64[Q, k].

    cells = (offsets, extents int32[2, C], the least and the greatest radius of each centre, firsts uint32[C, bits + 1],
    the least row of each ring).

    A query that would look at more than `budget` codes is marked in left bool[Q] and needs a full scan (what it
    found so far may stay in its heap: bringing a code in twice must then be avoided by starting afresh). When most
    queries of a batch come to that, the rest are left at once. Returns the codes looked at.
    """
    count = cells[0].shape[0]
    scratch = (
        np.empty(count, np.int32),
        np.empty(bits + 2, np.int32),
        np.empty((2, count), np.int32),
        np.empty((AHEAD + 1, 2), np.int64),
    )
    total, failed = 0, 0
    for q in range(queries.shape[0]):
        if q >= TRIAL and 2 * failed > q:
            left[q] = True
            continue
        touched = _search(
            width, bits, words, rows, mask, centres, cells, queries[q], scratch, best[q], budget
        )
        left[q] = touched < 0
        failed += left[q]
        total += budget if left[q] else touched
    return total


@nb.njit(**OPTIONS)
def collect_rings(width, bits, words, rows, mask, centres, offsets, query, radius, keys, size):  # type: ignore[no-untyped-def]
    """`collect` over the rings that can hold a code within `radius`."""
    for c in range(offsets.shape[0]):
        near = np.int64(distance(width, centres, c, query))
        start = np.int64(offsets[c, min(max(near - radius, 0), bits + 1)])
        stop = np.int64(offsets[c, min(near + radius, bits) + 1])
        if stop > start:
            keys, size = collect(width, words, rows, mask, start, stop, query, radius, keys, size)
    return keys, size


@nb.njit(**OPTIONS)
def nearest(width, centres, start, stop, words, position):  # type: ignore[no-untyped-def]
    """distance << 32 | index of the centre among start..stop-1 that is nearest to the code at `position`."""
    part = centres[start * len(width) : stop * len(width)]
    code = words[position * len(width) : (position + 1) * len(width)]
    best = FAR
    for c in range(part.size // len(width)):
        best = min(best, np.int64(distance(width, part, c, code) << SHIFT) | np.int64(c))
    return best + start


@nb.njit(**OPTIONS)
def assign(width, words, centres, heads, ends, probes, cells, radii):  # type: ignore[no-untyped-def]
    """A near centre for each code, and its distance: cells uint16[N], radii uint16[N].

    The centres are sorted into groups: group g, around heads[g], ends before ends[g]. Only the centres of the
    `probes` groups with the nearest heads are compared.
    """
    groups = ends.size
    near = np.empty(groups, np.int64)
    for i in range(cells.size):
        code = words[i * len(width) : (i + 1) * len(width)]
        for g in range(groups):
            near[g] = np.int64(distance(width, heads, g, code) << SHIFT) | np.int64(g)
        best = FAR
        for _ in range(probes):
            least = FAR
            for g in range(groups):
                least = min(least, near[g])
            group = least & np.int64(0xFFFF_FFFF)
            near[group] = FAR
            first = ends[group - 1] if group else 0
            best = min(best, nearest(width, centres, first, ends[group], words, i))
        cells[i] = np.uint16(best & np.int64(0xFFFF_FFFF))
        radii[i] = np.uint16(best >> np.int64(32))


@nb.njit(**OPTIONS)
def majority(width, words, cells, centres):  # type: ignore[no-untyped-def]
    """Move each centre to the bitwise majority of its codes; returns which had none, bool[C]."""
    count = centres.size // len(width)
    ones, members = np.zeros((count, 64 * len(width)), np.int32), np.zeros(count, np.int32)
    for i in range(cells.size):
        members[cells[i]] += 1
        sums = ones[cells[i]]
        for w in range(len(width)):
            word = words[i * len(width) + w]
            for bit in range(64):
                sums[64 * w + bit] += np.int32((word >> np.uint64(bit)) & np.uint64(1))
    for c in range(count):
        for w in range(len(width)):
            word = np.uint64(0)
            for bit in range(64):
                if 2 * ones[c, 64 * w + bit] > members[c]:
                    word |= np.uint64(1) << np.uint64(bit)
            if members[c]:
                centres[c * len(width) + w] = word
    return members == 0


@nb.njit(**OPTIONS)
def place(width, words, rows, cells, radii, offsets, out_words, out_rows):  # type: ignore[no-untyped-def]
    """Sort codes into rings by counting; fills offsets uint32[C, bits + 2], out_words and out_rows."""
    offsets.fill(0)
    for i in range(cells.size):
        offsets[cells[i], radii[i] + 1] += 1
    total = 0
    for c in range(offsets.shape[0]):
        offsets[c, 0] = total
        for r in range(1, offsets.shape[1]):
            total += offsets[c, r]
            offsets[c, r] = total
    free = offsets.copy()
    for i in range(cells.size):
        at = free[cells[i], radii[i]]
        free[cells[i], radii[i]] += 1
        for w in range(len(width)):
            out_words[at * len(width) + w] = words[i * len(width) + w]
        out_rows[at] = rows[i] if rows.size else i


@nb.njit(**OPTIONS)
def ring_of(offsets, cells, radii):  # type: ignore[no-untyped-def]
    """The inverse of `place`: the cell and the radius of each position."""
    for c in range(offsets.shape[0]):
        for r in range(offsets.shape[1] - 1):
            for position in range(offsets[c, r], offsets[c, r + 1]):
                cells[position] = c
                radii[position] = r
