"""Quantiles of what buckets count."""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def quantiles(q: float, uppers: F64, counts: F64) -> F64:
    """Estimates of a quantile, as Prometheus makes them of a histogram: within a bucket values lie evenly.

    Args:
        q: from 0 to 1.
        uppers: [b] upper ends, ascending, the last one infinite; the first bucket begins at 0.
        counts: [n, b] how many values are at most that.

    Returns:
        [n]; NaN where there are no values, and the last finite upper end where it lies beyond.
    """
    if len(uppers) < 2:
        return np.full(len(counts), np.nan)
    counts = np.maximum.accumulate(counts, axis=1)  # they were not read at one moment
    wanted = q * counts[:, -1:]
    bucket = np.argmax(counts >= wanted, axis=1)
    rows = np.arange(len(counts))
    below = np.where(bucket > 0, counts[rows, bucket - 1], 0.0)
    lower = np.where(bucket > 0, uppers[bucket - 1], 0.0)
    held = counts[rows, bucket] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(held > 0, (wanted[:, 0] - below) / held, 0.0)
        found = lower + (np.minimum(uppers[bucket], uppers[-2]) - lower) * within
    found = np.where(bucket == len(uppers) - 1, uppers[-2], found)
    return np.where(counts[:, -1] > 0, found, np.nan)
