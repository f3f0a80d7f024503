"""Grouping codes around centres: the nearest centre of each, the centres' majority, rings by counting, and how cells border."""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import OPTIONS, ZERO
from taxohash.hamming.kernels.flat import count_near, distance

FAR = np.int64(1 << 62)
NONE = np.int64(-(1 << 14))  # leaning of no code


@nb.njit(**OPTIONS)
def assign(width, words, centres, heads, ends, reach, cells, radii):  # type: ignore[no-untyped-def]
    """The nearest centre of each code, of equal ones the first, and its distance: cells uint16[N], radii uint16[N].

    The centres are sorted into groups: group g, around heads[g], ends before ends[g], and none of it is farther from its head
    than reach[g]; -1 where it has none. So the group of the nearest head is looked at first, and then only groups that may have a
    nearer centre, or a like one before: |d(x, head) - d(c, head)| <= d(x, c). A query looks around the first of its nearest
    centres first, and there its copies have to lie.
    """
    groups = ends.size
    near = np.empty(groups, np.int64)
    for i in range(cells.size):
        code = words[i * len(width) : (i + 1) * len(width)]
        home, least = np.int64(0), FAR
        for g in range(groups):
            near[g] = np.int64(distance(width, heads, g, code))
            if reach[g] >= 0 and near[g] < least:
                home, least = np.int64(g), near[g]
        cell, radius = np.int64(0), FAR
        for turn in range(groups + 1):
            group = home if turn == 0 else np.int64(turn - 1)
            if turn and (group == home or near[group] - reach[group] > radius):
                continue
            start, stop = ends[group - 1] if group else ZERO, ends[group]
            if count_near(width, centres, start, stop, code, radius + 1):
                for c in range(start, stop):
                    away = np.int64(distance(width, centres, c, code))
                    if away < radius or (away == radius and c < cell):
                        cell, radius = np.int64(c), away
        cells[i] = np.uint16(cell)
        radii[i] = np.uint16(radius)


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
def leanings(width, words, centres, starts, stops, neighbours, most):  # type: ignore[no-untyped-def]
    """How much farther a code may be from its own centre than from a neighbour of it, less being better: most int16[C, P].

    most[e, i] is the greatest d(x, c) - d(x, e) of the codes x of the cell c = neighbours[e, i], which lie as words at positions
    starts[c] to stops[c] - 1; NONE of a cell without codes.
    """
    for e in range(neighbours.shape[0]):
        for i in range(neighbours.shape[1]):
            c = np.int64(neighbours[e, i])
            part = words[starts[c] * len(width) : stops[c] * len(width)]
            here, there = (
                centres[c * len(width) : (c + 1) * len(width)],
                centres[e * len(width) : (e + 1) * len(width)],
            )
            greatest = NONE
            for x in range(part.size // len(width)):
                lean = np.int64(distance(width, part, x, here)) - np.int64(distance(width, part, x, there))
                greatest = max(greatest, lean)
            most[e, i] = np.int16(greatest)


@nb.njit(**OPTIONS)
def ring_of(offsets, cells, radii):  # type: ignore[no-untyped-def]
    """The inverse of `place`: the cell and the radius of each position."""
    for c in range(offsets.shape[0]):
        for r in range(offsets.shape[1] - 1):
            for position in range(offsets[c, r], offsets[c, r + 1]):
                cells[position] = c
                radii[position] = r
