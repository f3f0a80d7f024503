"""A ranking with ties, as every metric sees it.

A query's ranking of the database is a sequence of tie blocks: items at one distance, whose order
among themselves means nothing. Of a block only the number of items of each grade matters. Every
metric here is the expected value over all orders of tied items (McSherry and Najork, ECIR 2008;
He, Cakir, Bargal and Sclaroff, CVPR 2018), so the order of the database cannot change it. A ranking
without ties, in a fixed order, is the case of one item a block.

Grade 0 is irrelevant; with a taxonomy of K levels the grade of an item is its agreement with the
query, 0 ... K, so that grade >= k + 1 means "same class at level k", counted from the coarsest.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """Rankings of one database by several queries.

    Attributes:
        counts: int[Q, B, G]: items of each grade in each tie block, nearest block first. Blocks may
            be empty; for a ranking by Hamming distance, block d holds the items at distance d.
    """

    counts: npt.NDArray[np.integer]

    def __len__(self) -> int:
        """Number of queries."""
        return len(self.counts)

    @property
    def grades(self) -> int:
        """Number of different grades, G."""
        return int(self.counts.shape[2])

    @cached_property
    def sizes(self) -> Ints:
        """int64[Q, B]: items in each block."""
        return _sum(self.counts, 2)

    @cached_property
    def ends(self) -> Ints:
        """int64[Q, B]: items up to and including each block."""
        return self.sizes.cumsum(axis=1)

    @cached_property
    def starts(self) -> Ints:
        """int64[Q, B]: items before each block."""
        return self.ends - self.sizes

    @cached_property
    def totals(self) -> Ints:
        """int64[Q, G]: items of each grade in the database."""
        return _sum(self.counts, 1)

    @cached_property
    def _weights(self) -> Floats:
        return self.counts.astype(np.float64)

    @property
    def length(self) -> int:
        """Number of items ranked."""
        return int(self.ends[0, -1])

    def hits(self, grade: int) -> Ints:
        """int64[Q, B]: items of at least this grade in each block."""
        return _sum(self.counts[:, :, grade:], 2)

    def ideal(self) -> tuple[Ints, Ints]:
        """The different totals int64[U, G] among the queries, and which of them is each query's: int64[Q].

        An ideal ranking depends on the totals alone, and queries of one class share them.
        """
        different, which = np.unique(self.totals, axis=0, return_inverse=True)
        return different, which.reshape(-1)

    def expected_sum(self, values: Floats, weights: Floats, which: Ints | None = None) -> Floats:
        """float64[Q]: expected sum over ranks t of weights[t] * values[grade of the item at t].

        A tied item is equally likely at every rank of its block, so the block's mean value counts
        at each. Ranks beyond the weights count nothing.

        Args:
            values: float64[G], the value of each grade.
            weights: float64[R], or float64[U, R] with `which` naming each query's row.
        """
        prefix = np.zeros((*weights.shape[:-1], weights.shape[-1] + 1))
        np.cumsum(weights, axis=-1, out=prefix[..., 1:])
        last = weights.shape[-1]
        ends, starts = np.minimum(self.ends, last), np.minimum(self.starts, last)
        if which is None:
            share = prefix[ends] - prefix[starts]
        else:
            share = prefix[which[:, None], ends] - prefix[which[:, None], starts]
        mean = (self._weights @ values) / np.maximum(self.sizes, 1)
        result: Floats = (mean * share).sum(axis=1)
        return result


def _sum(counts: npt.NDArray[np.integer], axis: int) -> Ints:
    total: Ints = counts.sum(axis=axis, dtype=np.int64)
    return total


def cutoff(at: int | None, ranking: Ranking) -> int:
    """A cut-off rank limited to the length of the ranking; None is the whole ranking."""
    return ranking.length if at is None else min(at, ranking.length)


@lru_cache(maxsize=8)
def harmonic(n: int) -> Floats:
    """float64[n + 1]: the harmonic numbers H_0 ... H_n."""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n + 1))])


@lru_cache(maxsize=8)
def log_factorial(n: int) -> Floats:
    """float64[n + 1]: log 0! ... log n!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
