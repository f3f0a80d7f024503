"""Codes as machine words: packed bytes in, uint64 words inside, and the checks of what users pass."""

from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import check, code_bytes
from taxohash.errors import TaxohashError

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

MIN_BITS, MAX_BITS = 8, 1024
LINE_BYTES = 64  # of a cache line


def check_bits(bits: int) -> int:
    """`bits` if the index can hold codes of that length."""
    if not MIN_BITS <= bits <= MAX_BITS:
        raise TaxohashError(f"bits is {bits}: pass a code length from {MIN_BITS} to {MAX_BITS}")
    return int(bits)


def to_words(codes: npt.ArrayLike, bits: int, what: str = "codes") -> Words:
    """Packed codes uint8[N, ceil(bits/8)] as uint64[N, ceil(bits/64)]; missing bytes are zero.

    The order of bits inside a word does not matter to a Hamming distance, so bytes are copied as they lie.

    Raises:
        TaxohashError: see `codes.check`.
    """
    array = check(codes, bits, what)
    width = code_bytes(bits)
    if width % 8 == 0:
        words = np.ascontiguousarray(array).view(np.uint64)
        flags = words.flags  # the kernels are compiled for aligned, writable arrays
        return words if flags.aligned and flags.writeable else words.copy()
    padded = np.zeros((len(array), 8 * len(width_of(bits))), dtype=np.uint8)
    padded[:, :width] = array
    return padded.view(np.uint64)


def from_words(words: Words, bits: int) -> npt.NDArray[np.uint8]:
    """The packed codes uint8[N, ceil(bits/8)] that `to_words` made `words` from."""
    return np.ascontiguousarray(words.view(np.uint8)[:, : code_bytes(bits)])


def check_rows(rows: npt.ArrayLike, end: int, what: str = "rows") -> Rows:
    """Row numbers as int64[n], each from 0 to `end` - 1.

    Raises:
        TaxohashError: not integers, not one-dimensional, or out of range.
    """
    array: npt.NDArray[Any] = np.asarray(rows)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TaxohashError(
            f"{what} are {array.dtype}{list(array.shape)}: pass a one-dimensional array of integers"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= end:
        raise TaxohashError(f"{what} hold {low if low < 0 else high}: the index has rows 0 to {end - 1}")
    return array.astype(np.int64, copy=False)


def distinct(rows: Rows) -> Rows:
    """The different ones of `rows`, ascending; sorts, which is ten times faster than numpy.unique."""
    if (rows[1:] > rows[:-1]).all():
        return rows
    ascending: Rows = np.sort(rows)
    different: Rows = ascending[np.append(True, ascending[1:] > ascending[:-1])]
    return different


def width_of(bits: int) -> tuple[bool, ...]:
    """A tuple of ceil(bits/64) entries: its length tells the kernels how many words a code has."""
    return (True,) * ((bits + 63) // 64)


def aligned_bytes(size: int) -> npt.NDArray[np.uint8]:
    """Uninitialised uint8[size] that begins at a cache line."""
    room = np.empty(size + LINE_BYTES, dtype=np.uint8)
    first = -room.ctypes.data % LINE_BYTES
    return room[first : first + size]
