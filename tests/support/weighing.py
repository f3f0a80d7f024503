"""Weighted distances by the definition, bit by bit."""

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, Queries, unpack

ROUNDING = 2e-6  # of an answer's shares, which have six places


def shares(queries: Queries, codes: Codes) -> npt.NDArray[np.float64]:
    """Of the weights of each query's bits the share that lies on the bits in which a code differs: float64[Q, N]."""
    bits = queries.outputs.shape[1]
    differs = unpack(queries.codes, bits)[:, None, :] != unpack(codes, bits)[None]
    weights = queries.weights.astype(np.float64)
    found: npt.NDArray[np.float64] = (differs * weights[:, None, :]).sum(axis=2) / weights.sum(axis=1)[
        :, None
    ]
    return found
