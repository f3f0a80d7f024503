"""Metrics of graded gain: DCG and its kin. Expectations over ties are exact, gain being additive."""

from typing import Literal

import numpy as np

from taxohash.metrics.ranking import Floats, Ints, Ranking, cutoff

Discount = Literal["jk", "hpdh", "log"]


def discounts(discount: Discount, ranks: int) -> Floats:
    """What the gain at ranks 1 ... `ranks` is divided by, float64[ranks].

    `jk`: Jarvelin and Kekalainen (TOIS 2002) with base 2: 1 at rank 1, log2(t) from rank 2.
    `hpdh`: as the code of SHPDH computes it: 1 up to rank 2, log2(t - 1) from rank 3.
    `log`: log2(1 + t), the discount that goes with exponential gain.
    """
    t = np.arange(1, ranks + 1, dtype=np.float64)
    shifted = {"jk": t, "hpdh": t - 1, "log": t + 1}[discount]
    divisor: Floats = np.maximum(1.0, np.log2(np.maximum(shifted, 2.0)))
    return divisor


def ideal_values(totals: Ints, values: Floats, ranks: int) -> Floats:
    """float64[U, ranks]: values of the best rankings there are, for totals int64[U, G] of each grade."""
    best = np.zeros((len(totals), ranks))
    for row, total in enumerate(totals):
        ends = np.minimum(np.cumsum(total[::-1]), ranks)
        for start, end, value in zip(np.concatenate([[0], ends[:-1]]), ends, values[::-1], strict=True):
            best[row, start:end] = value
    return best


def inverse(x: Floats) -> Floats:
    """1 / x, and 0 where x is 0: a query with nothing relevant scores 0."""
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)


def tail_sums(x: Floats) -> Floats:
    """Sums of x from each position to the end, along the last axis."""
    tails: Floats = x[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return tails


def ndcg(
    ranking: Ranking, gains: Floats, at: int | None, discount: Discount = "jk", curve: bool = True
) -> Floats:
    """Normalised discounted cumulative gain, float64[Q].

    Args:
        gains: float64[G], not decreasing: linear gain is the grade, exponential gain 2^grade - 1.
        at: cut-off rank; None is the whole ranking.
        discount: see `discounts`.
        curve: the mean of DCG(t) / IDCG(t) over t = 1 ... at ("average nDCG", SHPDH), or its value at `at`.
    """
    rank = cutoff(at, ranking)
    divisor = discounts(discount, rank)
    totals, which = ranking.ideal()
    ideal = inverse((ideal_values(totals, gains, rank) / divisor).cumsum(axis=1))
    weights = tail_sums(ideal) / rank if curve else np.repeat(ideal[:, -1:], rank, axis=1)
    return ranking.expected_sum(gains, weights / divisor, which)


def average_cumulative_gain(ranking: Ranking, gains: Floats, at: int) -> Floats:
    """ACG: expected mean gain of the first `at` items, float64[Q]."""
    rank = cutoff(at, ranking)
    return ranking.expected_sum(gains, np.full(rank, 1.0 / rank))
