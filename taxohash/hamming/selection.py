"""Which rows a search may return."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.arrange import take
from taxohash.hamming.centres import NO_MASK
from taxohash.hamming.layouts import Bitmap, Flat, Layout
from taxohash.hamming.versions import Version
from taxohash.hamming.words import check_rows

TAKE = 4  # a prepared selection of at most 1/4 of the codes gets its own copy of them
TAKE_ONCE = 256  # one that serves a single search, of at most 1/256


class Scope(NamedTuple):
    """Where a search looks: two parts, and a bitmap by row for each."""

    base: Layout
    mask: Bitmap
    tail: Flat
    tail_mask: Bitmap


def whole(version: Version) -> Scope:
    """All that is alive."""
    return Scope(version.base, version.alive if version.dead else NO_MASK, version.tail, NO_MASK)


class Selection:
    """A prepared allowed-set, made by `HammingIndex.select` and reused between searches.

    A small one keeps the allowed codes by themselves, made at the first search and again after a compaction, so a
    search reads nothing else. Rows added to the index later are not in it; removed rows are never answered.

    Attributes:
        index: what stands for the index that made it.
        count: rows that are allowed.
    """

    def __init__(self, allowed: npt.ArrayLike, end: int, index: object = None, once: bool = False) -> None:
        self.index = index
        self.bitmap = _bitmap(allowed, end)
        self.count = int(np.bitwise_count(self.bitmap).sum())
        self._once = once
        self._taken: tuple[Layout, Layout] | None = None

    def scope(self, version: Version) -> Scope:
        """Where a search of `version` looks."""
        base, masked = self.apply(version.base)
        alive = version.alive if version.dead else NO_MASK
        if masked and version.dead:
            shared = min(alive.size, self.bitmap.size)
            alive = alive[:shared] & self.bitmap[:shared]
        elif masked:
            alive = self.bitmap
        return Scope(base, alive, version.tail, self.bitmap)

    def apply(self, base: Layout) -> tuple[Layout, bool]:
        """The layout to search instead of `base`, and whether the bitmap still has to be applied to it."""
        if self.count * (TAKE_ONCE if self._once else TAKE) > len(base):
            return base, True
        if self._once and base.rows.size:  # to find the few codes, the row of every code would be asked for
            return base, True
        taken = self._taken  # read once: another thread may replace it
        if taken is None or taken[0] is not base:
            taken = (base, take(base, self.bitmap))
            self._taken = taken
        return taken[1], False

    @property
    def nbytes(self) -> int:
        """Of its bitmap and of the codes that it keeps."""
        taken = self._taken
        return self.bitmap.nbytes + (
            0 if taken is None else sum(a.nbytes for a in taken[1].arrays().values())
        )


def _bitmap(allowed: npt.ArrayLike, end: int) -> npt.NDArray[np.uint8]:
    """A mask bool[end] or an array of rows as a bitmap; one byte longer than needed, as an empty one means all.

    Raises:
        TaxohashError: a mask of another length, or rows out of range.
    """
    array: npt.NDArray[Any] = np.asarray(allowed)
    bitmap = np.zeros(end // 8 + 1, dtype=np.uint8)
    if array.dtype == np.bool_:
        if array.shape != (end,):
            raise TaxohashError(
                f"the allowed mask has shape {array.shape}: the index has {end} rows, removed ones included"
            )
        bits = np.packbits(array, bitorder="little")
        bitmap[: bits.size] = bits
    else:
        rows = check_rows(array, end, "allowed rows")
        np.bitwise_or.at(bitmap, rows >> 3, np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8)))
    return bitmap
