"""Ids as bytes, each ended by 0xff (which no UTF-8 holds), and a hash table from an id to its row.

`arena` is uint8[M]: ids one after the other; `offsets` uint32 or uint64[rows]: where the id of a row begins, 0 for none,
as arena[0] is an end. `slots` is uint32[size], open addressing with linear probing: the low `row_bits` of a slot
are a row, the others a piece of the id's hash, so that most other ids are passed without reading them. The hash
is seeded: nobody can choose ids that fall together.
"""

import numba as nb
import numpy as np

from taxohash.hamming.kernels.conventions import OPTIONS
from taxohash.hamming.kernels.intrinsics import prefetch

END = np.uint8(0xFF)
FREE = np.uint32(0xFFFF_FFFF)
MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
LOW = np.uint64(0xFFFF_FFFF)
HALF = np.uint64(32)
AHEAD = 16  # ids whose slots are asked for before they are looked at


@nb.njit(**OPTIONS)
def ends_of(data, ends):  # type: ignore[no-untyped-def]
    """Fill ends int64[n] with the positions of the first ends in data uint8[M]; how many there are in all."""
    found = 0
    for i in range(data.size):
        if data[i] == END:
            if found < ends.size:
                ends[found] = i
            found += 1
    return found


@nb.njit(**OPTIONS)
def hash_of(data, start, seed):  # type: ignore[no-untyped-def]
    """64 bits of the id that begins at `start`: eight bytes at a time, multiplied and folded."""
    state = seed
    word, shift = np.uint64(0), np.uint64(0)
    i = start
    while data[i] != END:
        word |= np.uint64(data[i]) << shift
        shift += np.uint64(8)
        if shift == np.uint64(64):
            state = (state ^ word) * MIX
            state ^= state >> HALF
            word, shift = np.uint64(0), np.uint64(0)
        i += 1
    state = (state ^ word ^ (np.uint64(i - start) << np.uint64(56))) * MIX
    state ^= state >> HALF
    state *= MIX
    return state ^ (state >> np.uint64(29))


@nb.njit(**OPTIONS)
def is_same(left, i, right, j):  # type: ignore[no-untyped-def]
    """Whether two ids are the same."""
    while left[i] == right[j]:
        if left[i] == END:
            return True
        i += 1
        j += 1
    return False


@nb.njit(**OPTIONS)
def home_of(hashed, size):  # type: ignore[no-untyped-def]
    """The slot at which to begin: the hash's upper half, scaled."""
    return np.int64(((hashed >> HALF) * np.uint64(size)) >> HALF)


@nb.njit(**OPTIONS)
def slot_of(slots, row_bits, hashed, arena, offsets, data, start):  # type: ignore[no-untyped-def]
    """The slot of the id at data[start], or the free one where it belongs."""
    rows = (np.uint64(1) << np.uint64(row_bits)) - np.uint64(1)
    piece = hashed & LOW & ~rows
    at = home_of(hashed, slots.size)
    while slots[at] != FREE:
        slot = np.uint64(slots[at])
        if slot & ~rows == piece and is_same(arena, np.int64(offsets[slot & rows]), data, start):
            return at
        at += 1
        if at == slots.size:
            at = 0
    return at


@nb.njit(**OPTIONS)
def row_in(slots, row_bits, at):  # type: ignore[no-untyped-def]
    """The row in a slot, or -1."""
    if slots[at] == FREE:
        return np.int64(-1)
    return np.int64(np.uint64(slots[at]) & ((np.uint64(1) << np.uint64(row_bits)) - np.uint64(1)))


@nb.njit(**OPTIONS)
def insert(slots, row_bits, seed, arena, offsets, rows, starts):  # type: ignore[no-untyped-def]
    """Enter the ids of rows int64[n], which begin at starts[n], where there is one. How many came in.

    An id that is there already gets its new row.
    """
    high = LOW & ~((np.uint64(1) << np.uint64(row_bits)) - np.uint64(1))
    hashes = np.empty(rows.size, np.uint64)
    for i in range(rows.size):
        hashes[i] = hash_of(arena, np.int64(starts[i]), seed)
    more = 0
    for i in range(rows.size):
        if i + AHEAD < rows.size:
            prefetch(slots, home_of(hashes[i + AHEAD], slots.size))
        start = np.int64(starts[i])
        if start:
            at = slot_of(slots, row_bits, hashes[i], arena, offsets, arena, start)
            more += slots[at] == FREE
            slots[at] = np.uint32((hashes[i] & high) | np.uint64(rows[i]))
    return more


@nb.njit(**OPTIONS)
def remove(slots, row_bits, seed, arena, offsets, rows, starts):  # type: ignore[no-untyped-def]
    """Take out the ids of rows int64[n], which begin at starts[n], unless they are of other rows. How many went.

    No slot is left behind as removed.
    """
    gone = 0
    for i in range(rows.size):
        start = np.int64(starts[i])
        if start == 0:
            continue
        hole = slot_of(slots, row_bits, hash_of(arena, start, seed), arena, offsets, arena, start)
        if row_in(slots, row_bits, hole) != rows[i]:
            continue
        gone += 1
        at = hole
        while True:  # what would no longer be found moves up into the hole
            at += 1
            if at == slots.size:
                at = 0
            row = row_in(slots, row_bits, at)
            if row < 0:
                break
            home = home_of(hash_of(arena, np.int64(offsets[row]), seed), slots.size)
            stays = (hole < home <= at) if hole <= at else (home <= at or home > hole)
            if not stays:
                slots[hole] = slots[at]
                hole = at
        slots[hole] = FREE
    return gone


@nb.njit(**OPTIONS)
def find(slots, row_bits, seed, arena, offsets, data, starts):  # type: ignore[no-untyped-def]
    """The rows of the ids that begin at starts int64[n] of `data`: int64[n], -1 for an unknown one."""
    rows = np.empty(starts.size, np.int64)
    for i in range(starts.size):
        hashed = hash_of(data, starts[i], seed)
        rows[i] = row_in(slots, row_bits, slot_of(slots, row_bits, hashed, arena, offsets, data, starts[i]))
    return rows


@nb.njit(**OPTIONS)
def append(arena, used, data, starts, wanted, before, offsets):  # type: ignore[no-untyped-def]
    """Copy the wanted ids, which begin at starts int64[n] of `data`, behind arena[:used]; the bytes then used.

    Fills offsets int64[n]: 0 for what is not wanted, before[i] for an id that is the same as the one there.
    """
    for i in range(starts.size):
        offsets[i] = 0
        if wanted[i] and before[i] and is_same(arena, np.int64(before[i]), data, starts[i]):
            offsets[i] = before[i]
        elif wanted[i]:
            offsets[i] = used
            at = starts[i]
            while True:
                arena[used] = data[at]
                used += 1
                if data[at] == END:
                    break
                at += 1
    return used


@nb.njit(**OPTIONS)
def size_of(arena, offsets):  # type: ignore[no-untyped-def]
    """Bytes of the ids at offsets[n], ends included; nothing for none."""
    size = 0
    for i in range(offsets.size):
        at = np.int64(offsets[i])
        if at:
            size += 1
            while arena[at] != END:
                size += 1
                at += 1
    return size


@nb.njit(**OPTIONS)
def gather(arena, offsets):  # type: ignore[no-untyped-def]
    """The ids at offsets[n] one after the other, each with its end: uint8[m]."""
    size = size_of(arena, offsets)
    for i in range(offsets.size):
        size += offsets[i] == 0
    out, used = np.empty(size, np.uint8), 0
    for i in range(offsets.size):
        at = np.int64(offsets[i])
        while True:
            out[used] = arena[at]
            used += 1
            if arena[at] == END:
                break
            at += 1
    return out


@nb.njit(**OPTIONS)
def pack(arena, offsets, packed, moved):  # type: ignore[no-untyped-def]
    """Copy the ids of all rows behind packed[:1] in the order of rows, and fill moved[rows]; the bytes used."""
    used = 1
    packed[0] = END
    for row in range(offsets.size):
        at = np.int64(offsets[row])
        moved[row] = 0
        if at:
            moved[row] = used
            while True:
                packed[used] = arena[at]
                used += 1
                if arena[at] == END:
                    break
                at += 1
    return used
