"""Sets of numbers, each kept once: set i is flat[ends[i]:ends[i + 1]], `slots` a hash table of their numbers.

`flat` is int32[M], `ends` int64[N + 1] with N sets in use, `slots` uint32[size].
"""

import numba as nb
import numpy as np

from services.codestore.follower.kernels.ids import FREE, HALF, MIX, home_of
from taxohash.hamming.kernels.conventions import OPTIONS


@nb.njit(**OPTIONS)
def hash_of(flat, start, stop, seed):  # type: ignore[no-untyped-def]
    """64 bits of flat[start:stop]."""
    state = seed ^ np.uint64(stop - start)
    for i in range(start, stop):
        state = (state ^ np.uint64(flat[i])) * MIX
        state ^= state >> HALF
    state *= MIX
    return state ^ (state >> np.uint64(29))


@nb.njit(**OPTIONS)
def is_same(left, start, stop, right, first):  # type: ignore[no-untyped-def]
    """Whether left[start:stop] is what right has from `first` on."""
    same = True
    for i in range(start, stop):
        same &= left[i] == right[first + i - start]
    return same


@nb.njit(**OPTIONS)
def enter(slots, seed, flat, ends, count):  # type: ignore[no-untyped-def]
    """Fill empty `slots` with the sets 0..count-1."""
    for number in range(count):
        at = home_of(hash_of(flat, ends[number], ends[number + 1], seed), slots.size)
        while slots[at] != FREE:
            at += 1
            if at == slots.size:
                at = 0
        slots[at] = number


@nb.njit(**OPTIONS)
def intern(slots, seed, flat, ends, count, given, starts, stops, first, numbers):  # type: ignore[no-untyped-def]
    """Number the sets given[starts[i]:stops[i]] from `first` on, new ones too while there is room.

    Returns the sets then in use, and the i at which room ended.
    """
    for i in range(first, numbers.size):
        start, stop = starts[i], stops[i]
        at = home_of(hash_of(given, start, stop, seed), slots.size)
        while slots[at] != FREE:
            known = slots[at]
            same_size = ends[known + 1] - ends[known] == stop - start
            if same_size and is_same(given, start, stop, flat, ends[known]):
                break
            at += 1
            if at == slots.size:
                at = 0
        if slots[at] == FREE:
            size = ends[count] + stop - start
            if count + 1 == ends.size or size > flat.size or 4 * (count + 1) > 3 * slots.size:
                return count, i
            for j in range(start, stop):
                flat[ends[count] + j - start] = given[j]
            ends[count + 1] = size
            slots[at] = count
            count += 1
        numbers[i] = slots[at]
    return count, numbers.size


@nb.njit(**OPTIONS)
def count(held, numbers, step):  # type: ignore[no-untyped-def]
    """Add `step` to held int64[N] for every one of the numbers."""
    for number in numbers:
        held[number] += step


@nb.njit(**OPTIONS)
def gather(flat, ends, numbers, offsets):  # type: ignore[no-untyped-def]
    """The members of sets, and where those of each begin: int32[m]; fills offsets int64[n + 1]."""
    offsets[0] = 0
    for i in range(numbers.size):
        offsets[i + 1] = offsets[i] + ends[numbers[i] + 1] - ends[numbers[i]]
    out = np.empty(offsets[-1], np.int32)
    for i in range(numbers.size):
        for j in range(offsets[i + 1] - offsets[i]):
            out[offsets[i] + j] = flat[ends[numbers[i]] + j]
    return out


@nb.njit(**OPTIONS)
def any_between(flat, ends, count, numbers, ranks, low, high):  # type: ignore[no-untyped-def]
    """Which sets have a member whose rank is from `low` to `high` - 1: bool[n].

    Members beyond `ranks` have rank -1. A number of `count` or more, which another thread is writing, has no members.
    """
    out = np.zeros(numbers.size, np.bool_)
    for i in range(numbers.size):
        number = np.int64(numbers[i])
        if number < count:
            for j in range(ends[number], ends[number + 1]):
                rank = ranks[flat[j]] if flat[j] < ranks.size else -1
                if low <= rank < high:
                    out[i] = True
                    break
    return out


@nb.njit(**OPTIONS)
def any_equal(flat, ends, count, numbers, wanted):  # type: ignore[no-untyped-def]
    """Which sets have the member `wanted`: bool[n]; as `any_between` else."""
    out = np.zeros(numbers.size, np.bool_)
    for i in range(numbers.size):
        number = np.int64(numbers[i])
        if number < count:
            for j in range(ends[number], ends[number + 1]):
                if flat[j] == wanted:
                    out[i] = True
                    break
    return out
