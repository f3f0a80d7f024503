"""A map of codes: a linear projection onto two dimensions, as a generation keeps it, which places any code. NumPy alone.

Fitted by `taxohash.evaluation.projection`.
"""

from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.codes import Codes, check, unpack
from taxohash.runtime.configuration import Series, Share, configuration

Floats = npt.NDArray[np.float64]
Pair = Annotated[Series[float], Field(min_length=2, max_length=2)]


@configuration
class Projection:
    """Where codes lie on the map: the sum of the weights of their set bits, and the offset.

    Attributes:
        weights: of each bit, what it adds to either coordinate.
        offset: where the code lies that has no bit set.
        explained: the share of the variance of all bits that either coordinate shows.
    """

    weights: Annotated[Series[Pair], Field(min_length=1)]
    offset: Pair
    explained: Annotated[Series[Share], Field(min_length=2, max_length=2)]

    @property
    def bits(self) -> int:
        """Length of a code that it places."""
        return len(self.weights)

    def places(self, codes: Codes) -> Floats:
        """float64[N, 2]: where packed codes uint8[N, ceil(bits/8)] lie.

        Raises:
            TaxohashError: codes of another length.
        """
        weights, offset = self._arrays
        places: Floats = unpack(check(codes, self.bits), self.bits).astype(np.float64) @ weights + offset
        return places

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.weights, np.float64), np.array(self.offset, np.float64)
