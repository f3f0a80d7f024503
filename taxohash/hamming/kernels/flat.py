"""Kernels over runs of codes as words: one query at a time, straight through memory.

The scan makes one branch-free pass "how many of these 256 are near enough?" that compiles to vector popcounts;
only a block with a hit is looked at again. Learned codes repeat, so many can be exactly as far as the k-th: where ties
can still win by row and hits are many, a second such pass over whole keys comes before any is looked at by itself.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import KERNEL, LOW, NOWHERE, OPTIONS, SHIFT, ZERO
from taxohash.hamming.kernels.intrinsics import popcount

BLOCK = 256
SUB_BLOCK = 32
MANY = 16  # near codes in a block that are more likely ties of the k-th than better


@nb.njit(inline="always", **KERNEL)
def distance(width, words, position, query):  # type: ignore[no-untyped-def]
    """Hamming distance (uint64) of the code at `position` to query uint64[W]."""
    total = np.uint64(0)
    for w in range(len(width)):
        total += popcount(words[position * len(width) + w] ^ query[w])
    return total


@nb.njit(**KERNEL)
def count_near(width, words, start, stop, query, limit):  # type: ignore[no-untyped-def]
    """How many codes at positions start..stop-1 are nearer than `limit`."""
    block = words[start * len(width) : stop * len(width)]  # a slice: its indices need no check for negatives
    hits = 0
    for i in range(block.size // len(width)):
        hits += np.int64(distance(width, block, i, query)) < limit
    return hits


@nb.njit(**KERNEL)
def count_below(width, words, origin, rows, start, stop, query, key):  # type: ignore[no-untyped-def]
    """How many codes at positions start..stop-1 have a key below `key`; words[0] belongs to position `origin`."""
    block = words[start * len(width) : stop * len(width)]
    count = block.size // len(width)
    hits = 0
    if rows.size:
        numbers = rows[origin + start : origin + stop]
        for i in range(count):
            hits += ((distance(width, block, i, query) << SHIFT) | np.uint64(numbers[i])) < key
    else:
        first = np.uint64(origin + start)
        for i in range(count):
            hits += ((distance(width, block, i, query) << SHIFT) | (first + np.uint64(i))) < key
    return hits


@nb.njit(inline="always", **KERNEL)
def row_at(rows, position):  # type: ignore[no-untyped-def]
    return np.uint64(rows[position]) if rows.size else np.uint64(position)


@nb.njit(inline="always", **KERNEL)
def is_allowed(mask, row):  # type: ignore[no-untyped-def]
    if row == NOWHERE:
        return False
    if mask.size == 0:
        return True
    byte = row >> np.uint64(3)
    return byte < np.uint64(mask.size) and (mask[byte] >> np.uint8(row & np.uint64(7))) & np.uint8(1) != 0


@nb.njit(**KERNEL)
def push(best, key):  # type: ignore[no-untyped-def]
    """Replace the greatest key of the max-heap `best` by a smaller one."""
    hole, size = 0, best.size
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and best[child + 1] > best[child]:
            child += 1
        if best[child] <= key:
            break
        best[hole] = best[child]
        hole = child
    best[hole] = key


@nb.njit(inline="always", **KERNEL)
def offer(rows, mask, position, near, best):  # type: ignore[no-untyped-def]
    """Take the code at `position`, at distance `near`, into `best` if it belongs there."""
    row = row_at(rows, position)
    key = (near << SHIFT) | row
    if key < best[0] and is_allowed(mask, row):
        push(best, key)


@nb.njit(inline="always", **KERNEL)
def offer_noted(rows, mask, position, near, best, noted):  # type: ignore[no-untyped-def]
    """`offer`, and what it takes is noted, see `conventions`."""
    row = row_at(rows, position)
    key = (near << SHIFT) | row
    if key < best[0] and is_allowed(mask, row):
        push(best, key)
        count = noted[0, 0]
        at = np.int64(1) + np.int64(count) % (noted.shape[1] - 1)
        noted[0, at], noted[1, at] = np.uint32(row), np.uint32(position)
        noted[0, 0] = count + np.uint32(1)


@nb.njit(inline="always", **KERNEL)
def bound(best, ordered):  # type: ignore[no-untyped-def]
    """Codes at this distance or more cannot enter `best`; where rows ascend, a tie comes too late."""
    return np.int64(best[0] >> SHIFT) + (0 if ordered else 1)


@nb.njit(**KERNEL)
def scan(width, words, origin, rows, mask, start, stop, query, best, ordered):  # type: ignore[no-untyped-def]
    """Bring the codes at positions start..stop-1 into `best`; words[0] belongs to position `origin` of `rows`.

    `ordered` promises that rows ascend with positions and that every row already in `best` is smaller.
    """
    limit = bound(best, ordered)
    for block in range(start, stop, BLOCK):
        end = min(block + BLOCK, stop)
        hits = count_near(width, words, block, end, query, limit)
        if hits == 0:
            continue
        many = not ordered and hits > MANY
        if many and count_below(width, words, origin, rows, block, end, query, best[0]) == 0:
            continue
        for sub in range(block, end, SUB_BLOCK):
            sub_end = min(sub + SUB_BLOCK, end)
            if count_near(width, words, sub, sub_end, query, limit) == 0:
                continue
            if many and count_below(width, words, origin, rows, sub, sub_end, query, best[0]) == 0:
                continue
            for position in range(sub, sub_end):
                near = distance(width, words, position, query)
                if np.int64(near) < limit:
                    offer(rows, mask, origin + position, near, best)
                    limit = bound(best, ordered)


@nb.njit(**OPTIONS)
def scan_each(width, words, rows, mask, start, stop, queries, best, ordered):  # type: ignore[no-untyped-def]
    """`scan` for queries uint64[Q, W] and heaps best uint64[Q, k]."""
    for q in range(queries.shape[0]):
        scan(width, words, ZERO, rows, mask, start, stop, queries[q], best[q], ordered)


@nb.njit(**OPTIONS)
def histogram(width, words, rows, mask, stop, query, counts):  # type: ignore[no-untyped-def]
    """Add the distances of the allowed codes before `stop` to counts int64[bits + 1]."""
    for position in range(stop):
        if is_allowed(mask, row_at(rows, position)):
            counts[distance(width, words, position, query)] += 1


@nb.njit(**OPTIONS)
def with_room(keys, size, more):  # type: ignore[no-untyped-def]
    """`keys`, or a longer copy of the first `size` where `more` would not fit."""
    if size + more <= keys.size:
        return keys
    longer = np.empty(2 * (size + more), np.uint64)
    for i in range(size):
        longer[i] = keys[i]
    return longer


@nb.njit(**OPTIONS)
def collect(width, words, rows, mask, start, stop, query, radius, keys, size):  # type: ignore[no-untyped-def]
    """Append the keys of the allowed codes within `radius` to keys uint64[capacity], `size` of them in use.

    Returns the array, a longer copy when it had to grow, and its new size.
    """
    limit = np.int64(radius) + 1
    for block in range(start, stop, BLOCK):
        end = min(block + BLOCK, stop)
        hits = count_near(width, words, block, end, query, limit)
        if hits == 0:
            continue
        keys = with_room(keys, size, hits)
        for position in range(block, end):
            near = distance(width, words, position, query)
            row = row_at(rows, position)
            if np.int64(near) < limit and is_allowed(mask, row):
                keys[size] = (near << SHIFT) | row
                size += 1
    return keys, size


@nb.njit(**OPTIONS)
def positions(rows, mask, count):  # type: ignore[no-untyped-def]
    """The positions before `count` whose rows are allowed: int64[n]."""
    found, kept = np.empty(count, np.int64), 0
    position = 0
    while position < count:
        if (
            rows.size == 0 and mask.size and position % 8 == 0
        ):  # row = position: rows allowed in none of 8 are passed
            byte = position >> 3
            if byte >= mask.size:
                break
            if mask[byte] == 0:
                position += 8
                continue
        found[kept] = position
        kept += is_allowed(mask, row_at(rows, position))
        position += 1
    return found[:kept].copy()


@nb.njit(**OPTIONS)
def positions_of(rows, count, wanted):  # type: ignore[no-untyped-def]
    """The positions before `count` whose rows are among wanted int64[n], ascending: int64[m]."""
    found, kept = np.empty(count, np.int64), 0
    for position in range(count):
        row = np.int64(rows[position])
        at = np.searchsorted(wanted, row)
        found[kept] = position
        kept += at < wanted.size and wanted[at] == row
    return found[:kept].copy()


@nb.njit(**OPTIONS)
def finish(best, distances, rows):  # type: ignore[no-untyped-def]
    """Sort the heaps best uint64[Q, k] and split their first k' keys into distances int32 and rows int64[Q, k']."""
    for q in range(distances.shape[0]):
        heap = best[q]
        for last in range(heap.size - 1, 0, -1):
            greatest, key = heap[0], heap[last]
            push(heap[:last], key)
            heap[last] = greatest
        for i in range(distances.shape[1]):
            distances[q, i] = np.int32(heap[i] >> SHIFT)
            rows[q, i] = np.int64(heap[i] & LOW)
