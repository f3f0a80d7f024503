"""From ids to rows, many at once, in six bytes an id."""

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Arrays, Rows, Unsigned
from services.codestore.follower.kernels import ids as kernels
from taxohash.errors import TaxohashError

_FULL, _FILL = 0.8, 0.7  # a table that is fuller than the one is made anew as full as the other
_FEWEST = 64  # slots

Bytes = npt.NDArray[np.uint8]


class Ids:
    """A hash table over the ids in an arena. For one thread at a time."""

    def __init__(self) -> None:
        self._seed = np.uint64(secrets.randbits(64))
        self._slots = np.full(_FEWEST, kernels.FREE)
        self._row_bits = 8
        self._count = 0

    @property
    def nbytes(self) -> int:
        return self._slots.nbytes

    def reserve(self, more: int, arrays: Arrays) -> None:
        """Make room for so many more ids and for all rows of the arrays."""
        row_bits = (len(arrays) + 1).bit_length()  # one row more: a slot of ones is a free one
        needed = self._count + more
        if row_bits <= self._row_bits and needed <= _FULL * len(self._slots):
            return
        self._row_bits = max(row_bits, self._row_bits)
        self._slots = np.full(max(int(needed / _FILL) + 1, _FEWEST), kernels.FREE)
        self._count = 0
        rows = np.flatnonzero(arrays.cells.offsets)
        self.insert(rows, arrays.cells.offsets[rows], arrays)

    def insert(self, rows: Rows, offsets: Unsigned, arrays: Arrays) -> None:
        """Enter the ids of rows, which begin at offsets. There must be room."""
        self._count += kernels.insert(*self._table(arrays), rows, offsets)

    def remove(self, rows: Rows, offsets: Unsigned, arrays: Arrays) -> None:
        """Take out the ids of rows, which begin at offsets."""
        self._count -= kernels.remove(*self._table(arrays), rows, offsets)

    def find(self, ids: Sequence[str], arrays: Arrays) -> Rows:
        """int64[n]: the row of each id, -1 for an unknown one."""
        data = joined(ids)
        found: Rows = kernels.find(*self._table(arrays), data, starts_of(data, len(ids)))
        return found

    def _table(self, arrays: Arrays) -> tuple[Any, ...]:
        return self._slots, self._row_bits, self._seed, arrays.arena, arrays.cells.offsets


def joined(ids: Sequence[str]) -> Bytes:
    """Ids as bytes, each with its end."""
    # What is no Unicode has bytes that no id has.
    data = b"".join(item_id.encode("utf-8", "surrogatepass") + b"\xff" for item_id in ids)
    return np.frombuffer(data, np.uint8)


def starts_of(data: Bytes, count: int) -> Rows:
    """int64[count]: where each id begins.

    Raises:
        TaxohashError: there are not so many, or the last has no end.
    """
    ends = np.empty(count, np.int64)
    found = kernels.ends_of(data, ends)
    if found != count or (ends[-1] if count else -1) != len(data) - 1:
        raise TaxohashError(f"{found} ids in {len(data)} bytes for {count} rows: end each with the byte 0xff")
    starts = np.zeros(count, np.int64)
    starts[1:] = ends[:-1] + 1
    return starts


def split(arena: Bytes, offsets: Unsigned) -> list[str]:
    """The ids that begin at offsets."""
    data = kernels.gather(arena, offsets).tobytes()
    return [item_id.decode() for item_id in data.split(b"\xff")[:-1]]
