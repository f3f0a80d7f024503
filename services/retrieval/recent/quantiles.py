"""What buckets tell: quantiles, and how far two distributions are apart."""

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


def stability(counts: F64, reference: F64, queries: F64) -> F64:
    """The population stability index: the sum over bands of (p - e) ln(p / e), of shares p that were expected to be e.

    Below 0.1 is taken for steady, above 0.25 for another distribution. Half a value more is counted in each band on both sides, as
    else one that is empty would make it infinite. The recording rules of manifests/monitoring reckon alike.

    Args:
        counts: [n, b] values in each band.
        reference: [n, b] shares.
        queries: [n] of which the reference is.

    Returns:
        [n]; NaN where there are no values, or no reference.
    """
    totals, bands = counts.sum(axis=1, keepdims=True), counts.shape[1]
    found = (counts + 0.5) / (totals + 0.5 * bands)
    expected = (reference * queries[:, None] + 0.5) / (queries[:, None] + 0.5 * bands)
    return np.where(totals[:, 0] > 0, ((found - expected) * np.log(found / expected)).sum(axis=1), np.nan)
