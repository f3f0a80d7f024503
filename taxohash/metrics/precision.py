"""Metrics of binary relevance: an item counts when its grade is at least the one asked for."""

import numpy as np

from taxohash.metrics.ranking import Floats, Ints, Ranking, cutoff, harmonic, log_factorial


def average_precision(ranking: Ranking, grade: int = 1, at: int | None = None) -> Floats:
    """Tie-aware average precision, float64[Q]: mean of the precision at every relevant item.

    The expectation is exact (McSherry and Najork, eq. 4, summed over each block in closed form).
    With `at`, over the first `at` ranks and divided by the relevant items found there, as HashNet's
    mAP@R does. A query with nothing relevant scores 0.
    """
    hits = ranking.hits(grade)
    return _average(ranking, hits, hits.astype(np.float64), at)


def weighted_average_precision(ranking: Ranking, gains: Floats, at: int | None = None) -> Floats:
    """Weighted mAP's term for each query, float64[Q]: mean of ACG at every item of grade >= 1 (DSRH, CVPR 2015).

    Args:
        gains: float64[G], the gain of each grade.
        at: cut-off rank; the divisor is the number of relevant items within it.
    """
    return _average(ranking, ranking.hits(1), ranking.counts[:, :, 1:] @ gains[1:], at)


def precision_sum(ranking: Ranking, grade: int) -> Floats:
    """float64[Q]: expected sum of the precision at every relevant item: average precision, not yet divided."""
    hits = ranking.hits(grade)
    total: Floats = _block_sums(ranking, hits, hits.astype(np.float64)).sum(axis=1)
    return total


def precision(ranking: Ranking, grade: int, at: int) -> Floats:
    """Expected share of relevant items among the first `at`, float64[Q]."""
    rank = cutoff(at, ranking)
    return ranking.expected_sum(_relevant(ranking, grade), np.full(rank, 1.0 / rank))


def precision_within(ranking: Ranking, grade: int, radius: int) -> Floats:
    """Share of relevant items within a Hamming radius, float64[Q]; an empty ball scores 0.

    Only for rankings by Hamming distance, where block d is distance d.
    """
    found = ranking.hits(grade)[:, : radius + 1].sum(axis=1)
    ball: Floats = found / np.maximum(ranking.sizes[:, : radius + 1].sum(axis=1), 1)
    return ball


def collisions(ranking: Ranking, grade: int) -> Floats:
    """Share of the items of a lower grade that have the query's own code, float64[Q]; 0 where there is none.

    Only for rankings by Hamming distance. Of classes (the finest grade), its mean is the share of pairs of different
    classes with one code, which no ranking tells apart.
    """
    found = ranking.counts[:, 0, :grade].sum(axis=1)
    share: Floats = found / np.maximum(ranking.totals[:, :grade].sum(axis=1), 1)
    return share


def precision_recall(ranking: Ranking, grade: int, recalls: Floats) -> Floats:
    """Precision at given recalls, float64[Q, len(recalls)], along the expected path through each block.

    Recall r is reached after the least t at which r * relevant items are expected among the first
    t; precision there is r * relevant / t. Recalls lie in (0, 1]. Queries with nothing relevant score 0.
    """
    hits = ranking.hits(grade)
    reached = hits.cumsum(axis=1)
    total = reached[:, -1:]
    row = np.arange(len(ranking))[:, None]
    # Shares of relevant items grow along a row; shifted by the row's number they grow along all of them.
    shares = (reached / np.maximum(total, 1) + row).reshape(-1)
    cell = np.minimum(np.searchsorted(shares, recalls - 1e-9 + row), len(shares) - 1)
    inside = np.maximum(hits.reshape(-1)[cell], 1)
    wanted = recalls * total
    part = 1 - (reached.reshape(-1)[cell] - wanted) / inside
    ranks = ranking.starts.reshape(-1)[cell] + part * ranking.sizes.reshape(-1)[cell]
    points: Floats = np.where(total > 0, wanted / np.maximum(ranks, 1e-9), 0.0)
    return points


def _relevant(ranking: Ranking, grade: int) -> Floats:
    return (np.arange(ranking.grades) >= grade).astype(np.float64)


def _rank_sum(first: Floats, step: Floats, before: Ints, items: Ints, table: Floats) -> Floats:
    """Sum over j = 1 ... items of (first + (j - 1) * step) / (before + j), by harmonic numbers."""
    total: Floats = step * items + (first - step * (before + 1)) * (table[before + items] - table[before])
    return total


def _block_sums(ranking: Ranking, hits: Ints, gains: Floats) -> Floats:
    """float64[Q, B]: expected sum, over the relevant items of a block, of (gain of the first t items) / t.

    A relevant item at place j of a block adds the gain before the block, its own (the mean), and
    (j - 1) / (size - 1) of the others'.
    """
    before = gains.cumsum(axis=1) - gains
    mean = gains / np.maximum(hits, 1)
    others = mean * (hits - 1) / np.maximum(ranking.sizes - 1, 1)
    share = hits / np.maximum(ranking.sizes, 1)
    table = harmonic(ranking.length)
    total: Floats = share * _rank_sum(before + mean, others, ranking.starts, ranking.sizes, table)
    return total


def _average(ranking: Ranking, hits: Ints, gains: Floats, at: int | None) -> Floats:
    rank = cutoff(at, ranking)
    sums = _block_sums(ranking, hits, gains)
    inside = ranking.ends <= rank
    score = (sums * inside).sum(axis=1)
    found = (hits * inside).sum(axis=1)
    average: Floats = score / np.maximum(found, 1)
    cut = np.flatnonzero(((ranking.starts < rank) & ~inside).any(axis=1))
    if len(cut):
        block = np.argmax(ranking.ends[cut] > rank, axis=1)
        average[cut] = _average_cut(ranking, hits, gains, rank, cut, block, score[cut], found[cut])
    return average


def _average_cut(
    ranking: Ranking, hits: Ints, gains: Floats, rank: int, cut: Ints, block: Ints, score: Floats, found: Ints
) -> Floats:
    """Expected average where the cut-off falls inside a block.

    The number x of relevant items among the block's first m places is hypergeometric; given x, they
    are spread evenly over these places, and both the sum and its divisor are known.
    """
    size, relevant = ranking.sizes[cut, block][:, None], hits[cut, block][:, None]
    start = ranking.starts[cut, block][:, None]
    places = rank - start
    x = np.arange(int(np.minimum(places, relevant).max()) + 1)[None, :]
    possible = (x <= relevant) & (x <= places) & (places - x <= size - relevant)
    some = np.where(possible, x, np.maximum(0, places - (size - relevant)))
    log = log_factorial(ranking.length)
    chance = np.exp(
        log[relevant] - log[some] - log[relevant - some]
        + log[size - relevant] - log[places - some] - log[size - relevant - places + some]
        - log[size] + log[places] + log[size - places]
    )  # fmt: skip
    mean = (gains[cut, block] / np.maximum(hits[cut, block], 1))[:, None]
    before = np.where(np.arange(gains.shape[1]) < block[:, None], gains[cut], 0.0).sum(axis=1)[:, None]
    others = mean * (some - 1) / np.maximum(places - 1, 1)
    inside = some / places * _rank_sum(before + mean, others, start, places, harmonic(ranking.length))
    average = (score[:, None] + inside) / np.maximum(found[:, None] + some, 1)
    expected: Floats = np.where(possible, chance * average, 0.0).sum(axis=1)
    return expected
