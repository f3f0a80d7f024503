"""Metrics of a class hierarchy: similarity between classes, not only relevance."""

from typing import Any, Literal

import numba
import numpy as np

from taxohash.metrics.gain import against_ideal, ideal_values, inverse, tail_sums
from taxohash.metrics.precision import precision_sum
from taxohash.metrics.ranking import Floats, Ranking, cutoff, log_factorial
from taxohash.runtime.kernel_cache import OPTIONS


def hierarchical_precision(ranking: Ranking, similarity: Floats, at: int) -> Floats:
    """HP@at, float64[Q]: expected similarity summed over the first `at` items, over the best there is (Deng, CVPR 2011).

    Args:
        similarity: float64[G], not decreasing, from 0.
    """
    rank = cutoff(at, ranking)
    totals, which = ranking.ideal()
    best = inverse(ideal_values(totals, similarity, rank).sum(axis=1))
    return ranking.expected_sum(similarity, np.ones(rank)) * best[which]


def average_hierarchical_precision(
    ranking: Ranking, similarity: Floats, at: int, rule: Literal["mean", "trapezoid"] = "mean"
) -> Floats:
    """AHP@at, float64[Q]: HP@t over t = 1 ... at.

    Args:
        similarity: float64[G], not decreasing, from 0.
        rule: `mean` (SHPDH), or the `trapezoid` rule with steps of 1 / at (Barz and Denzler), under
            which a perfect ranking scores 1 - 1 / at.
    """
    rank = cutoff(at, ranking)
    shares = np.full(rank, 1.0 / rank)
    if rule == "trapezoid":
        shares[0] -= 0.5 / rank
        shares[-1] -= 0.5 / rank
    return against_ideal(
        ranking, similarity, rank, lambda best: tail_sums(shares * inverse(best.cumsum(axis=1)))
    )


def weighted_recall(ranking: Ranking, similarity: Floats, at: int) -> Floats:
    """WR@at, float64[Q]: share of the database's similarity found in the first `at` items (SHDH, AAAI 2018)."""
    found = ranking.expected_sum(similarity, np.ones(cutoff(at, ranking)))
    share: Floats = found * inverse(ranking.totals @ similarity)
    return share


def hierarchical_average_precision(ranking: Ranking, similarity: Floats) -> Floats:
    """H-AP, float64[Q] (Ramzi et al., HAPPIER, ECCV 2022), exact in expectation.

    H-AP adds min(similarity of j, similarity of k) over items j ranked up to item k, divided by k's
    rank. A minimum is the sum of the steps between grades that both have reached, so H-AP is the
    mean of the average precisions at each grade, weighted by the step and by the relevant items;
    and of these the expectation is known in closed form.
    """
    steps = np.diff(similarity, prepend=0.0)
    score, best = np.zeros(len(ranking)), ranking.totals @ similarity
    for grade in np.flatnonzero(steps):
        score += steps[grade] * precision_sum(ranking, int(grade))
    result: Floats = score * inverse(best)
    return result


def average_set_intersection(ranking: Ranking) -> Floats:
    """ASI, float64[Q]: mean over t up to the relevant items R of |first t items, and ideal first t| / t.

    Sets are compared grade by grade (HAPPIER, ECCV 2022), so items of one grade replace each other.
    Exact in expectation: at rank t all but one grade of the ideal are either whole or absent, and
    the number of items of that one grade among the first places of a block is hypergeometric.
    """
    counts = np.ascontiguousarray(ranking.counts, np.int64)
    result = np.zeros(len(ranking))
    _intersections(counts, ranking.sizes, ranking.totals, log_factorial(ranking.length), result)
    return result


@numba.njit(**OPTIONS)
def _chance(size: int, good: int, drawn: int, y: int, log: Any) -> float:
    """Chance that y of `drawn` items are good, drawn from `size` items of which `good` are."""
    if y < 0 or y > good or drawn - y < 0 or drawn - y > size - good:
        return 0.0
    bad = size - good
    ways = log[good] - log[y] - log[good - y] + log[bad] - log[drawn - y] - log[bad - drawn + y]
    return float(np.exp(ways - log[size] + log[drawn] + log[size - drawn]))


@numba.njit(**OPTIONS)
def _intersections(counts: Any, sizes: Any, totals: Any, log: Any, result: Any) -> None:
    """Fill result[Q] with the expected ASI of counts[Q, B, G].

    For the grade that the ideal is filling at rank t, with c ideal items so far, p seen before the
    block and Y among its first j places, E min(p + Y, c) = c - u with u = E (c - p - Y)^+. From one
    rank to the next u and F = P(Y <= c - p) follow by one draw without replacement:
    u' = u + F - ((good - (c - p)) F + u) / (size - j).
    """
    queries, blocks, grades = counts.shape
    before = np.zeros(grades, np.int64)
    for query in range(queries):
        relevant = 0
        for g in range(grades):
            before[g] = 0
            relevant += totals[query, g] if g else 0
        grade = grades - 1
        left = totals[query, grade]
        ideal, t, total = 0, 0, 0.0
        for block in range(blocks):
            size = sizes[query, block]
            good = counts[query, block, grade]
            gap = ideal - before[grade]
            u, f = float(max(gap, 0)), 1.0 if gap >= 0 else 0.0
            for j in range(size):
                if t == relevant:
                    break
                while left == 0:  # this grade of the ideal is whole: fill the next
                    grade -= 1
                    left = totals[query, grade]
                    ideal, good, gap, u = 0, counts[query, block, grade], -before[grade], 0.0
                    f = _chance(size, good, j, 0, log) if gap == 0 else 0.0
                next_f = f + _chance(size, good, j, gap + 1, log) * (1.0 - (good - gap - 1) / (size - j))
                u += f - ((good - gap) * f + u) / (size - j)
                f = next_f
                gap += 1
                ideal += 1
                left -= 1
                t += 1
                common = ideal - u
                for whole in range(grade + 1, grades):
                    common += before[whole] + (j + 1) * counts[query, block, whole] / size
                total += common / t
            for g in range(grades):
                before[g] += counts[query, block, g]
            if t == relevant:
                break
        result[query] = total / max(relevant, 1)
