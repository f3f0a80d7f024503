"""Metrics of graded gain: DCG and its kin. Expectations over ties are exact, gain being additive."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from taxohash.metrics.ranking import Floats, Ints, Ranking, cutoff

Discount = Literal["jk", "hpdh", "log"]
IDEAL_CELLS = 500_000
"""Upper bound on the cells of ideal rankings float64[U, ranks] held at once, where there is more than one."""


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


def against_ideal(
    ranking: Ranking, values: Floats, ranks: int, weights: Callable[[Floats], Floats]
) -> Floats:
    """float64[Q]: expected sum over ranks of values, each rank weighted by what the best ranking has up to there.

    Best rankings are as long as the database and as many as the queries have classes, so some are made at a time.

    Args:
        weights: from the ideal values float64[U, ranks] to weights of the same shape, row by row.
    """
    totals, which = ranking.ideal()
    some = max(1, IDEAL_CELLS // ranks)
    if len(totals) <= some:
        return ranking.expected_sum(values, weights(ideal_values(totals, values, ranks)), which)
    sums = np.empty(len(ranking))
    for start in range(0, len(totals), some):
        rows = np.flatnonzero((which >= start) & (which < start + some))
        ideal = ideal_values(totals[start : start + some], values, ranks)
        part = Ranking(ranking.counts[rows])
        sums[rows] = part.expected_sum(values, weights(ideal), which[rows] - start)
    return sums


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

    def weights(best: Floats) -> Floats:
        ideal = (best / divisor).cumsum(axis=1)
        share = tail_sums(inverse(ideal)) / rank if curve else inverse(ideal[:, -1:])
        return share / divisor

    return against_ideal(ranking, gains, rank, weights)


def average_cumulative_gain(ranking: Ranking, gains: Floats, at: int) -> Floats:
    """ACG: expected mean gain of the first `at` items, float64[Q]."""
    rank = cutoff(at, ranking)
    return ranking.expected_sum(gains, np.full(rank, 1.0 / rank))
