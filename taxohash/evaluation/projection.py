"""A map of codes, made of a database: the two directions in which its codes differ most."""

import numpy as np

from taxohash.codes import Codes, unpack
from taxohash.generation.projection import Projection

MOST = 20_000  # codes that it is made of, evenly spread; more change nothing that can be seen
_PLACES = 6  # decimals that are kept


def projection(codes: Codes, bits: int) -> Projection:
    """The first two principal components of codes, whose bits count as +-1.

    Each component has the sign that makes its greatest weight positive. Codes of one bit, or that are all the same, lie on a line
    or at a point.

    Args:
        codes: packed, uint8[N, ceil(bits/8)], N >= 1.
    """
    some = np.unique(np.linspace(0, len(codes) - 1, min(MOST, len(codes))).astype(np.int64))
    signs = unpack(codes[some], bits) * 2.0 - 1
    mean = signs.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(signs, rowvar=False, bias=True).reshape(bits, bits))
    axes = np.zeros((bits, 2))
    axes[:, : min(bits, 2)] = directions[:, ::-1][:, :2]
    axes *= np.where(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], 0) < 0, -1.0, 1.0)
    explained = np.zeros(2)
    explained[: min(bits, 2)] = variances[::-1][:2].clip(min=0) / max(float(variances.sum()), 1e-12)
    return Projection(
        weights=tuple(map(tuple, (2 * axes).round(_PLACES).tolist())),
        offset=tuple((-(1 + mean) @ axes).round(_PLACES).tolist()),
        explained=tuple(explained.clip(max=1).round(_PLACES).tolist()),
    )
