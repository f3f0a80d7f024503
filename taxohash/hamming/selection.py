"""Which rows a search may return."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.words import check_rows

Allowed = "npt.ArrayLike | Selection | None"


@dataclass(frozen=True)
class Selection:
    """A prepared allowed-set, made by `HammingIndex.select` and reused between queries."""

    mask: npt.NDArray[np.bool_]


def row_mask(allowed: npt.ArrayLike, end: int) -> npt.NDArray[np.bool_]:
    """A boolean mask bool[end], or an array of rows, as a mask bool[end].

    Raises:
        TaxohashError: a mask of another length, or rows out of range.
    """
    array = np.asarray(allowed)
    if array.dtype == np.bool_:
        if array.shape != (end,):
            raise TaxohashError(f"the allowed mask has shape {array.shape}: the index has {end} rows, removed ones included")
        return array
    mask = np.zeros(end, dtype=np.bool_)
    mask[check_rows(array, end, "allowed rows")] = True
    return mask
