"""Grouping codes around centres: the nearest centre of each, the centres' majority, and rings by counting."""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import OPTIONS, SHIFT
from taxohash.hamming.kernels.flat import distance

FAR = np.int64(1 << 62)


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
    `probes` groups with the nearest heads are compared; groups without centres are passed over.
    """
    groups = ends.size
    near = np.empty(groups, np.int64)
    for i in range(cells.size):
        code = words[i * len(width) : (i + 1) * len(width)]
        first = 0
        for g in range(groups):
            held, first = ends[g] > first, ends[g]
            near[g] = np.int64(distance(width, heads, g, code) << SHIFT) | np.int64(g) if held else FAR
        best = FAR
        for _ in range(probes):
            least = FAR
            for g in range(groups):
                least = min(least, near[g])
            if least == FAR:
                break
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
