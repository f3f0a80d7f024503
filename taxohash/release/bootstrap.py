"""How far the mean over a sample of queries can be trusted: bootstrap intervals.

Percentiles of resampled means are too narrow for few queries, as a normal interval is against Student's. They are
widened as Student's is: Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 2015,
the expanded percentile interval.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CELLS = 4_000_000  # numbers drawn at once


def interval(values: Floats, confidence: float, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Low and high ends, float64[M] each, of the means of float64[Q, M]; every resample draws whole rows.

    Of a single row nothing is known but that values, differences of scores, lie between -1 and 1.
    """
    if len(values) == 1:
        return np.full(values.shape[1], -1.0), np.full(values.shape[1], 1.0)
    means = resampled_means(values, resamples, seed)
    tail = _expanded_tail((1 - confidence) / 2, len(values))
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """float64[resamples, M]: means of rows of float64[Q, M], drawn with replacement, as many as there are."""
    generator = np.random.default_rng(seed)
    rows, block = len(values), max(1, CELLS // values.size)
    parts = [
        values[generator.integers(0, rows, (min(block, resamples - start), rows))].mean(axis=1)
        for start in range(0, resamples, block)
    ]
    return np.concatenate(parts)


def _expanded_tail(tail: float, count: int) -> float:
    """The share of resampled means to leave out at each end: Phi(-sqrt(n / (n - 1)) t), t of n - 1 degrees of freedom."""
    from scipy.special import ndtr, stdtrit

    return float(ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, tail)))
