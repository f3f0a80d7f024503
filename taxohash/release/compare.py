"""How differently two generations answer the same queries, in numbers: of answers, distances and label paths that are given.

An item has one number in both, so that their answers can be held against each other; -1 stands where there is no answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.release.bootstrap import interval
from taxohash.release.judging import Compared, Judging

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Path = tuple[str, ...]
Paths = Collection[
    Path
]  # those of all labels of an item; names can be compared between trees, numbers of labels cannot


def overlap(before: Rows, after: Rows, k: int) -> Floats:
    """float64[Q]: the share of the first k answers that both give, of int64[Q, K] each, k <= K.

    Where there are fewer than k answers it is the share of those; nan where there is none.
    """
    first, other = before[:, :k], after[:, :k]
    both = ((first[:, :, None] == other[:, None]) & (first >= 0)[:, :, None]).any(axis=2).sum(axis=1)
    there = np.maximum((first >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    shares: Floats = np.divide(both, there, out=np.full(len(both), np.nan), where=there > 0)
    return shares


def tau_b(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> float:
    """Kendall's tau-b of the distances [n] that the same n items have in both: 1 is one order, -1 the opposite one.

    A pair of items at one distance in one of them counts for neither (Kendall, "The treatment of ties in ranking
    problems", Biometrika 1945). Where that would be 0 / 0, it is 1 if all pairs are tied in both, which is one order, and 0 if
    in one of them.
    """
    first, other = (np.sign(own[:, None] - own).astype(np.float64) for own in (before, after))
    length = float(np.sqrt((first * first).sum() * (other * other).sum()))
    if not length:
        return float(not first.any() and not other.any())
    return float((first * other).sum() / length)


def nodes(paths: Paths, level: int) -> set[Path]:
    """The nodes of an item's labels at a level, 0 the coarsest. A path that ends above it is its own node below."""
    return {path[: level + 1] for path in paths}


def agreement(before: Paths, after: Paths, levels: int) -> Floats:
    """float64[levels]: 1 where two answers have a node in common, else 0; nan where one of them has no label."""
    if not before or not after:
        return np.full(levels, np.nan)
    return np.array([float(bool(nodes(before, level) & nodes(after, level))) for level in range(levels)])


def precision(asked: Paths, answers: Sequence[Paths], levels: int) -> Floats:
    """float64[levels]: the share of the answers that have a node in common with the query; nan where it has no label, or no answer."""
    if not asked or not answers:
        return np.full(levels, np.nan)
    wanted = [nodes(asked, level) for level in range(levels)]
    return np.array(
        [
            np.mean([not own.isdisjoint(nodes(answer, level)) for answer in answers])
            for level, own in enumerate(wanted)
        ]
    )


@dataclass(frozen=True)
class Spread:
    """How values are spread over queries.

    Attributes:
        median, lower, upper: the quartiles.
        queries: that have a value.
    """

    median: float
    lower: float
    upper: float
    queries: int


def spread(values: Floats) -> Spread | None:
    """Of float64[Q]; nan is no value, and None is told where no query has one."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    lower, median, upper = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    return Spread(median, lower, upper, len(known))


@dataclass(frozen=True)
class Mean:
    """A mean over the queries that have a value."""

    value: float
    queries: int


def mean(values: Floats) -> Mean | None:
    """Of float64[Q]; nan is no value, and None is told where no query has one."""
    known = values[~np.isnan(values)]
    return Mean(float(known.mean()), len(known)) if len(known) else None


def paired(before: Floats, after: Floats, names: Sequence[str]) -> tuple[Compared, ...]:
    """Means of float64[Q, M] each, query by query: the same queries are drawn for both, and for all M, at the judges' confidence.

    Queries for which one of the values is nan are left out; without any, nothing is told.

    Args:
        names: of the M columns.
    """
    judging = Judging()
    known = ~np.isnan(before).any(axis=1) & ~np.isnan(after).any(axis=1)
    old, new = before[known], after[known]
    if not known.any() or not names:
        return ()
    low, high = interval(new - old, judging.confidence, judging.resamples, judging.seed)
    return tuple(
        Compared(
            metric=name,
            value=float(new[:, column].mean()),
            bound=float(old[:, column].mean()),
            difference=float((new - old)[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
        )
        for column, name in enumerate(names)
    )
