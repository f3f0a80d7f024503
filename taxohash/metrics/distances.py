"""Rankings from codes or vectors, block by block of queries, in bounded memory.

A ranker maps a slice of queries to their `Ranking`. With `leave_one_out`, query i is item i of the database
and is left out of its own ranking.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numba
import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, pack
from taxohash.hamming.kernels.conventions import SHIFT
from taxohash.hamming.kernels.intrinsics import popcount
from taxohash.hamming.kernels.weighted import weigh_all
from taxohash.hamming.weights import to_weights
from taxohash.hamming.words import to_words, width_of
from taxohash.metrics.grades import Grades
from taxohash.metrics.ranking import Ranking
from taxohash.runtime.kernel_cache import OPTIONS

Distances = Callable[[slice], npt.NDArray[Any]]
Vectors = npt.NDArray[np.floating]
Outputs = npt.NDArray[np.float32]
BLOCK_CELLS = 4_000_000
"""Upper bound on the cells of a block's counts int32[q, B, G]."""


class Ranker(Protocol):
    """Ranks a slice of the queries; `block` is how many fit in memory at once."""

    block: int

    def __call__(self, queries: slice) -> Ranking: ...


class HistogramRanker:
    """Expected ranking of packed codes: one pass counts distances and grades, and nothing is sorted.

    The database lies in the order of its grades, so that inside a run the grade is constant.
    """

    def __init__(
        self, query: Codes, database: Codes, bits: int, grades: Grades, leave_one_out: bool = False
    ) -> None:
        self._query, self._database = _words(query), _words(database[grades.order])
        self._bits, self._grades, self._leave_one_out = bits, grades, leave_one_out
        self.block = max(1, BLOCK_CELLS // ((bits + 1) * grades.levels))

    def __call__(self, queries: slice) -> Ranking:
        grades, query = self._grades, self._query[queries]
        counts = np.zeros((len(query), self._bits + 1, grades.levels), np.int32)
        _count(query, self._database, grades.query[queries], grades.bounds, grades.runs, counts)
        if self._leave_one_out:
            counts[np.arange(len(query)), 0, grades.own(queries)] -= 1
        return Ranking(counts)


class SortingRanker:
    """Ranking by sorted distances: for vectors, weighted distances, and codes whose ties are to be broken.

    Args:
        distances: maps a slice of queries to distances [q, N].
        order: the order of the database, int[N], in which ties are broken; None keeps equal
            distances together as ties.
    """

    def __init__(
        self,
        distances: Distances,
        grades: Grades,
        order: npt.NDArray[np.integer] | None,
        leave_one_out: bool = False,
    ) -> None:
        self._distances, self._grades, self._order, self._leave_one_out = (
            distances,
            grades,
            order,
            leave_one_out,
        )
        self.block = max(1, BLOCK_CELLS // (len(grades.order) * grades.levels))

    def __call__(self, queries: slice) -> Ranking:
        distances, grades = self._distances(queries), self._grades.rows(queries)
        if self._leave_one_out:
            own = np.arange(queries.start, queries.start + len(distances))
            distances[own - queries.start, own] = _farthest(distances)
        if self._order is not None:
            distances, grades = distances[:, self._order], grades[:, self._order]
        distances, grades = _sorted(distances, grades, self._order is None)
        if self._leave_one_out:
            distances, grades = distances[:, :-1], grades[:, :-1]
        counts = np.zeros((*distances.shape, self._grades.levels), np.int32)
        blocks = _blocks(distances, grades, self._order is None, counts)
        return Ranking(counts[:, :blocks].copy())


def _farthest(distances: npt.NDArray[Any]) -> float:
    """A value beyond all distances of this type."""
    return np.inf if distances.dtype.kind == "f" else np.iinfo(distances.dtype).max


def _sorted(
    distances: npt.NDArray[Any], grades: npt.NDArray[Any], tied: bool
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Distances [q, N] ascending, and the grades that go with them; the order of ties counts where not `tied`."""
    if tied and distances.dtype == np.uint32:  # several times faster than to sort positions
        keys = (distances.astype(np.uint64) << SHIFT) | grades
        keys.sort(axis=1)
        return (keys >> SHIFT).astype(np.uint32), keys.astype(grades.dtype)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(grades, order, 1)


def hamming(query: Codes, database: Codes) -> Distances:
    """Hamming distances between packed codes, uint16."""
    queries, items = _words(query), _words(database)

    def distances(rows: slice) -> npt.NDArray[np.uint16]:
        total = np.zeros((len(queries[rows]), len(items)), np.uint16)
        for word in range(items.shape[1]):
            total += np.bitwise_count(queries[rows, word, None] ^ items[None, :, word])
        return total

    return distances


def weighted(query: Outputs, database: Codes) -> Distances:
    """Weighted Hamming distances between real queries float32[Q, bits] and packed codes, uint32.

    sum_j |f_j| [sign f_j != x_j], f the query and x the code, in the fixed point of `HammingIndex.search`: the weights of a
    query are whole multiples of a 2^(30 - ceil(log2 bits))th of its greatest.

    Raises:
        TaxohashError: queries that are not finite float32.
    """
    bits = query.shape[1]
    width, everything = width_of(bits), np.empty(0, np.uint8)
    asked, items = to_words(pack(query), bits), to_words(database, bits).reshape(-1)
    weights, rows = to_weights(np.abs(query), bits, len(query)).whole, np.empty(0, np.uint32)
    count = len(database)

    def distances(some: slice) -> npt.NDArray[np.uint32]:
        total = np.empty((len(asked[some]), count), np.uint32)
        for row, (own, heavy) in enumerate(zip(asked[some], weights[some], strict=True)):
            total[row] = weigh_all(width, items, rows, everything, count, own, heavy) >> SHIFT
        return total

    return distances


def real_valued(query: Vectors, database: Vectors, metric: Literal["cosine", "l2"]) -> Distances:
    """Cosine or squared Euclidean distances between vectors, in units of the largest possible.

    Rounded to 12 digits, so that equal vectors tie whatever the order of additions was.
    """
    queries, items = query.astype(np.float64), database.astype(np.float64)
    if metric == "cosine":
        queries, items = (
            x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300) for x in (queries, items)
        )
    lengths = (items**2).sum(axis=1)
    longest = max(float(lengths.max()), float((queries**2).sum(axis=1).max()), 1e-300)

    def distances(rows: slice) -> npt.NDArray[np.float64]:
        block = queries[rows]
        squared = (block**2).sum(axis=1)[:, None] + lengths - 2 * (block @ items.T)
        rounded: npt.NDArray[np.float64] = np.round(squared / (4 * longest), 12)
        return rounded

    return distances


def _words(codes: Codes) -> npt.NDArray[np.uint64]:
    """uint64[N, W]: packed codes in whole words, the padding zero."""
    missing = -codes.shape[1] % 8
    return np.ascontiguousarray(np.pad(codes, ((0, 0), (0, missing)))).view(np.uint64)


@numba.njit(**OPTIONS)
def _count(queries: Any, database: Any, classes: Any, bounds: Any, runs: Any, counts: Any) -> None:
    """Add every pair to counts[q, distance, grade]; the grades are those of `Grades`."""
    words = database.shape[1]
    for q in range(len(queries)):
        first = queries[q, 0]
        ends = bounds[classes[q] if len(bounds) > 1 else 0]
        for run in range(runs.shape[1]):
            histogram = counts[q, :, runs[classes[q], run]]
            if words == 1:  # twice as fast without the inner loop
                for i in range(ends[run], ends[run + 1]):
                    histogram[popcount(first ^ database[i, 0])] += 1
            else:
                for i in range(ends[run], ends[run + 1]):
                    distance = np.uint64(0)
                    for word in range(words):
                        distance += popcount(queries[q, word] ^ database[i, word])
                    histogram[distance] += 1


@numba.njit(**OPTIONS)
def _blocks(distances: Any, grades: Any, tied: bool, counts: Any) -> int:
    """Fill counts[q, block, grade] from ranked distances and grades; the most blocks that a query has.

    Equal distances make a block where `tied`, else every item is one. Neighbouring blocks of one and
    the same grade are merged: their order decides nothing, and rankings become several times shorter.
    """
    queries, length = grades.shape
    most = 0
    for q in range(queries):
        last, block, start = -1, -1, 0  # grade of the last block where it has only one, else -1
        while start < length:
            end = start + 1
            pure = grades[q, start]
            single = True
            while tied and end < length and distances[q, end] == distances[q, start]:
                single &= grades[q, end] == pure
                end += 1
            if not (single and last == pure):
                block += 1
                last = pure if single else -1
            for i in range(start, end):
                counts[q, block, grades[q, i]] += 1
            start = end
        most = max(most, block + 1)
    return most
