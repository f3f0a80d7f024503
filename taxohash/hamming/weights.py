"""Weights of a query's bits: in fixed point, so that a weighted distance does not depend on the order of a sum."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.notes import Noted, room
from taxohash.hamming.words import width_of

Whole = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]

TOTAL = 30  # a distance is at most 2 ** TOTAL, so it fits where plain ones are kept


@dataclass(frozen=True)
class Weights:
    """The weights w of queries as whole numbers: round(w / scale), where the greatest of a query becomes a power of two.

    Attributes:
        whole: uint32[Q, 64 W], where the bits of the words of codes lie; 0 for those that no code has.
        scale: float64[Q], what one of them stands for.
        noted: where a search has found its answers, if there is room for that. One search at a time writes into it.
    """

    whole: Whole
    scale: Floats
    noted: Noted

    def __getitem__(self, span: slice) -> Self:
        """Those of some queries."""
        return type(self)(self.whole[span], self.scale[span], self.noted[span])

    def noting(self, most: int) -> Self:
        """The same, with room of their own for where the `most` nearest of each lie; with none for 0."""
        return replace(self, noted=room(len(self.whole), most))

    def distances(self, whole: npt.NDArray[Any]) -> Floats:
        """Distances float64[Q, k] from whole[Q, k]; different ones stay different."""
        distances: Floats = whole * self.scale[:, None]
        return distances

    def limits(self, radius: float) -> npt.NDArray[np.int64]:
        """The greatest whole distance within `radius`, int64[Q]."""
        scale = np.where(self.scale > 0, self.scale, 1)
        whole = np.minimum(radius, 2**TOTAL * scale) / scale
        limits: npt.NDArray[np.int64] = whole.astype(np.int64)
        limits += (limits + 1) * scale <= radius  # what the division has rounded
        limits -= limits * scale > radius
        return limits


def to_weights(weights: npt.ArrayLike, bits: int, queries: int) -> Weights:
    """Weights float32[Q, bits], numbered as numpy.packbits numbers bits: 0 is the highest of the first byte.

    Raises:
        TaxohashError: of another dtype or shape, not finite, or negative.
    """
    array: npt.NDArray[Any] = np.asarray(weights)
    if array.dtype != np.float32 or array.shape != (queries, bits):
        raise TaxohashError(
            f"weights are {array.dtype}{list(array.shape)}: pass float32[{queries}, {bits}], one a query and bit"
        )
    greatest = array.max(axis=1, initial=0)
    if not (array.min(initial=0) >= 0 and np.isfinite(greatest).all()):
        wrong = array[~(np.isfinite(array) & (array >= 0))][0]
        raise TaxohashError(f"weights hold {wrong}: pass finite numbers of 0 or more")
    scale = np.ldexp(greatest.astype(np.float64), (bits - 1).bit_length() - TOTAL)
    whole = np.zeros((queries, 64 * len(width_of(bits))), dtype=np.uint32)
    whole[:, _places(bits)] = np.rint(array / np.where(scale > 0, scale, 1)[:, None])
    return Weights(whole, scale, room(queries, 0))


@cache
def _places(bits: int) -> npt.NDArray[np.int64]:
    """Where each bit of a packed code lies in its words: their bytes are copied as they lie (see `to_words`)."""
    return np.arange(bits) ^ 7
