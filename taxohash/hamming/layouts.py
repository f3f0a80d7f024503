"""Three ways to keep a fixed set of codes, with the same operations.

`Flat`: the codes as words, in order. `Sliced`: bit-sliced blocks, for codes without structure. `Rings`: words grouped
around centres, for codes that cluster. None of them changes once made, so any number of threads may search them.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taxohash.hamming.centres import NO_WORDS, Centres
from taxohash.hamming.kernels import (
    bitslice,
    blocks,
    cells,
    flat,
    grouping,
    rings,
    weighted,
    weighted_planes,
    weighted_rings,
)
from taxohash.hamming.weights import Weights
from taxohash.hamming.words import Rows, Words, width_of

RowNumbers = npt.NDArray[np.uint32]  # one a code, or empty where row = position
Bitmap = npt.NDArray[np.uint8]  # one bit a row, or empty for all rows
Keys = npt.NDArray[np.uint64]  # distance << 32 | row
Arrays = dict[str, npt.NDArray[Any]]

SLICE_FROM = 8192  # codes from which slicing pays
SLICE_QUERIES = 8  # queries from which slicing on the way pays
BUDGET = 8  # rings go cell by cell for all queries that would each look at 1/8 of the codes


class Layout(Protocol):
    """A fixed set of codes."""

    @property
    def bits(self) -> int: ...

    @property
    def rows(self) -> RowNumbers: ...

    def __len__(self) -> int: ...

    @property
    def layout(self) -> str: ...

    def search(self, queries: Words, mask: Bitmap, best: Keys, weights: Weights | None = None) -> int:
        """Bring the nearest allowed codes into the empty heaps best uint64[Q, k]; the codes looked at.

        With `weights` distances are weighted, a heap may be full of one key instead: only smaller ones are wanted, and
        `weights.noted` becomes where those lie that came among them.
        """
        ...

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        """Add the distances of the allowed codes to counts int64[bits + 1]."""
        ...

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        """Append the keys of allowed codes within `radius` to keys[:size]."""
        ...

    def words(self) -> Words:
        """All codes, uint64[N * W], in the order of `rows`."""
        ...

    def pick(self, positions: Rows) -> Words:
        """The codes at positions int64[n], ascending: uint64[n * W]."""
        ...

    def arrays(self) -> Arrays:
        """The arrays it consists of."""
        ...


@dataclass(frozen=True)
class Flat:
    """Codes as words: uint64[N * W]; `count` of them are in use."""

    bits: int
    codes: Words
    rows: RowNumbers
    count: int
    layout = "flat"

    def __len__(self) -> int:
        return self.count

    def search(self, queries: Words, mask: Bitmap, best: Keys, weights: Weights | None = None) -> int:
        bring(self, queries, mask, best, ordered=False, weights=weights)
        return self.count * len(queries)

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        flat.histogram(width_of(self.bits), self.codes, self.rows, mask, self.count, query, counts)

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        width = width_of(self.bits)
        found: tuple[Keys, int] = flat.collect(
            width, self.codes, self.rows, mask, 0, self.count, query, radius, keys, size
        )
        return found

    def words(self) -> Words:
        return self.codes[: self.count * len(width_of(self.bits))]

    def pick(self, positions: Rows) -> Words:
        return self.words().reshape(-1, len(width_of(self.bits)))[positions].ravel()

    def arrays(self) -> Arrays:
        return {"codes": self.words(), "rows": self.rows[: self.count]}


@dataclass(frozen=True)
class Sliced:
    """Codes as bit-sliced blocks (see `bitslice`), rows ascending."""

    bits: int
    blocks: Words
    rows: RowNumbers
    count: int
    layout = "sliced"

    def __len__(self) -> int:
        return self.count

    def search(self, queries: Words, mask: Bitmap, best: Keys, weights: Weights | None = None) -> int:
        return self.search_part(queries, mask, best, 0, self.count, weights)

    def search_part(
        self, queries: Words, mask: Bitmap, best: Keys, start: int, stop: int, weights: Weights | None = None
    ) -> int:
        """`search` among the positions start..stop-1; `start` is a multiple of intrinsics.CODES."""
        width = width_of(self.bits)
        if weights is None:
            bitslice.scan_sliced(
                width, self.bits, self.blocks, NO_WORDS, self.rows, mask, start, stop, queries, best, True
            )
        else:
            weighted_planes.scan_sliced_weighted(
                width, self.bits, self.blocks, self.rows, mask, start, stop, queries, weights.whole, best, weights.noted
            )  # fmt: skip
        return (stop - start) * len(queries)

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        self._flat().histogram(query, mask, counts)

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        width = width_of(self.bits)
        found: tuple[Keys, int] = bitslice.collect_sliced(
            width, self.bits, self.blocks, self.rows, mask, self.count, query, radius, keys, size
        )
        return found

    def words(self) -> Words:
        words: Words = blocks.unslice_all(width_of(self.bits), self.bits, self.blocks, self.count)
        return words

    def pick(self, positions: Rows) -> Words:
        words: Words = blocks.pick(width_of(self.bits), self.bits, self.blocks, positions)
        return words

    def arrays(self) -> Arrays:
        return {"blocks": self.blocks, "rows": self.rows}

    def _flat(self) -> Flat:
        return Flat(self.bits, self.words(), self.rows, self.count)


@dataclass(frozen=True)
class Rings:
    """Codes grouped around centres (see `rings`)."""

    bits: int
    codes: Words
    rows: RowNumbers
    centres: Centres
    offsets: npt.NDArray[np.uint32]
    extents: npt.NDArray[np.int32]  # [2, C]: the least and the greatest radius of each centre
    firsts: RowNumbers  # [C, bits + 1]: the least row of each ring
    bodies: npt.NDArray[np.uint32]  # [C, 2]: the positions of each centre that are bit-sliced
    neighbours: npt.NDArray[np.uint16]  # [C, P]: the centres nearest to each
    margins: npt.NDArray[
        np.int16
    ]  # [C, P]: how much farther their codes are from their own centre than from this one, at most
    layout = "rings"

    def __len__(self) -> int:
        return self.rows.size

    def search(self, queries: Words, mask: Bitmap, best: Keys, weights: Weights | None = None) -> int:
        if weights is not None:
            return int(
                weighted_rings.search_rings_weighted(
                    width_of(self.bits), self.bits, self.codes, self.rows, mask, self.centres.words, self._cells(),
                    queries, weights.whole, best, weights.noted,
                )
            )  # fmt: skip
        return int(
            rings.search_rings(
                width_of(self.bits), self.bits, self.codes, self.rows, mask, self.centres.words, self._cells(),
                queries, best, max(len(self) // BUDGET, 4096),
            )
        )  # fmt: skip

    def histogram(self, query: Words, mask: Bitmap, counts: npt.NDArray[np.int64]) -> None:
        cells.histogram_cells(
            width_of(self.bits), self.codes, self.rows, mask, self.centres.words, self.offsets, self.bodies, query, counts
        )  # fmt: skip

    def collect(self, query: Words, radius: int, mask: Bitmap, keys: Keys, size: int) -> tuple[Keys, int]:
        found: tuple[Keys, int] = rings.collect_rings(
            width_of(self.bits), self.bits, self.codes, self.rows, mask, self.centres.words, self._cells(),
            query, radius, keys, size,
        )  # fmt: skip
        return found

    def words(self) -> Words:
        width = width_of(self.bits)
        words: Words = cells.unslice_bodies(width, self.codes, self.centres.words, self.bodies)
        return words[: len(self) * len(width)]

    def pick(self, positions: Rows) -> Words:
        words: Words = cells.pick(width_of(self.bits), self.codes, self.centres.words, self.bodies, positions)
        return words

    def arrays(self) -> Arrays:
        return {
            "codes": self.codes, "rows": self.rows, "offsets": self.offsets, "extents": self.extents, "firsts": self.firsts,
            "bodies": self.bodies, "neighbours": self.neighbours, "margins": self.margins, "centres": self.centres.words, "heads": self.centres.heads, "ends": self.centres.ends,
        }  # fmt: skip

    def _cells(self) -> tuple[npt.NDArray[Any], ...]:
        return self.offsets, self.extents, self.firsts, self.bodies, self.neighbours, self.margins

    def ring_of(self) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
        """The centre and the radius of each code: uint16[N], uint16[N]."""
        near, radii = np.empty(len(self), dtype=np.uint16), np.empty(len(self), dtype=np.uint16)
        grouping.ring_of(self.offsets, near, radii)
        return near, radii


def bring(
    part: Flat, queries: Words, mask: Bitmap, best: Keys, ordered: bool, weights: Weights | None = None
) -> None:
    """Bring the codes of `part` into heaps that may hold others already, sliced on the way for many queries."""
    width = width_of(part.bits)
    if weights is not None:
        weighted.scan_each_weighted(
            width, part.codes, part.rows, mask, part.count, queries, weights.whole, best, weights.noted
        )  # fmt: skip
    elif len(queries) >= SLICE_QUERIES and part.count >= SLICE_FROM:
        words = part.words()
        bitslice.scan_sliced(
            width, part.bits, NO_WORDS, words, part.rows, mask, 0, part.count, queries, best, ordered
        )
    else:
        flat.scan_each(width, part.codes, part.rows, mask, 0, part.count, queries, best, ordered)
