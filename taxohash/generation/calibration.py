"""What a distance is worth: from distances to probabilities, level by level, as a generation keeps them. NumPy alone.

Fitted and measured by `taxohash.evaluation.calibration`; here it is plain numbers, and what is made of them while serving.
"""

from bisect import bisect_right
from dataclasses import field
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Count, NonNegative, Series, Share, configuration
from taxohash.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
Ranking = Literal["hamming", "weighted"]

RANKINGS: tuple[Ranking, ...] = ("hamming", "weighted")
KINDS = 2  # of novelty
SURE = 0.5  # a node that is as likely wrong is not told


@configuration
class Curve:
    """A monotone map from scores to probabilities: straight between its knots, constant beyond them.

    Attributes:
        scores: of the knots, rising.
        probabilities: at each.
    """

    scores: Annotated[Series[float], Field(min_length=1)]
    probabilities: Series[Share]

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip(self.scores, self.scores[1:], strict=False))
        if not rising or len(self.scores) != len(self.probabilities):
            raise TaxohashError(
                f"a curve of {len(self.scores)} scores and {len(self.probabilities)} probabilities: "
                "give scores that rise, and one probability for each"
            )

    def __call__(self, scores: Floats) -> Floats:
        """float64[...], the probabilities of float64[...] scores."""
        found: Floats = np.interp(scores, *self._knots)
        return found

    def at(self, score: float) -> float:
        """The probability of one score, the same to the last bit."""
        scores, probabilities = self.scores, self.probabilities
        after = bisect_right(scores, score)
        if after == 0:
            return probabilities[0]
        if after == len(scores) or scores[after - 1] == score:
            return probabilities[after - 1]
        low, high = scores[after - 1], scores[after]
        slope = (probabilities[after] - probabilities[after - 1]) / (high - low)
        return slope * (score - low) + probabilities[after - 1]

    @cached_property
    def _knots(self) -> tuple[Floats, Floats]:
        return np.array(self.scores, np.float64), np.array(self.probabilities, np.float64)


@configuration
class Map:
    """What is known of the answers from one database, in one order. Of each level of the tree, coarse -> fine, a curve.

    Attributes:
        shared: by an item's distance, the probability that it has the query's node.
        predicted: by the support of a node among the nearest items, see `vote`, the probability that it is the query's.
    """

    shared: Series[Curve]
    predicted: Series[Curve]


@configuration
class Rankings:
    """The maps of one database: by the Hamming distance, in bits, and by the weighted one, as a share, see `Queries.shares`."""

    hamming: Map
    weighted: Map

    def of(self, ranking: Ranking) -> Map:
        """The map of answers in this order."""
        return self.hamming if ranking == "hamming" else self.weighted


@configuration
class Calibration:
    """What a generation knows of how far its answers can be trusted.

    Attributes:
        nearest: answers that a query's own path is read from, and of which the maps were made.
        learned_from: the split that the hasher was trained on.
        seen: maps for its items, which the hasher was trained on; None where they were not measured.
        new: maps for all other items; likewise.
        novelty: of each kind, see `Queries`, the greatest that a picture which is like anything that the hasher was made of has; empty
            where that was not measured.
        measured: of the maps and the threshold, on queries that they were not fitted to.
    """

    nearest: Count
    learned_from: str
    seen: Rankings | None = None
    new: Rankings | None = None
    novelty: Series[NonNegative] = ()
    measured: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.novelty) not in (0, KINDS):
            raise TaxohashError(f"novelty has {len(self.novelty)} limits: give {KINDS}, or none")
        if len(self.levels) > 1:
            raise TaxohashError(
                f"maps are of {', '.join(map(str, sorted(self.levels)))} levels: give each one curve a level"
            )

    @property
    def levels(self) -> set[int]:
        """Numbers of levels that the maps are of: one at most."""
        maps = [of.of(ranking) for of in (self.seen, self.new) if of for ranking in RANKINGS]
        return {len(curves) for one in maps for curves in (one.shared, one.predicted)}

    def strangeness(self, novelty: npt.NDArray[np.float32] | None) -> Floats | None:
        """How far pictures of a novelty float32[N, 2], see `Queries`, are from what is still known, as multiples: float64[N].

        Beyond 1 a picture is like nothing that the hasher was made of. None where that is not known.
        """
        if novelty is None or not self.novelty:
            return None
        most = np.maximum(self.novelty, np.finfo(np.float32).tiny)
        multiples: Floats = (novelty / most).max(axis=1)
        return multiples

    def shared(self, ranking: Ranking, distances: Floats, seen: Bools, depths: Integers) -> Floats:
        """For each level the probability that an item has the query's true node there: float64[..., K], coarse -> fine.

        NaN where the item's path has no such level, or the map for it was not measured. Never less at a coarser level than
        at a finer one.

        Args:
            ranking: what the answers are ordered by.
            distances: float64[...], by that: in bits, or as shares of the query's weights.
            seen: bool[...], whether the hasher was trained on the item.
            depths: int[...], levels of the item's path; 0 for one that has no label.
        """
        maps = [of and of.of(ranking).shared for of in (self.new, self.seen)]
        levels = max((len(curves) for curves in maps if curves), default=0)
        found = np.full((*distances.shape, levels), np.nan)
        for is_seen, curves in enumerate(maps):
            chosen = seen == bool(is_seen)
            for level, curve in enumerate(curves or ()):
                found[..., level] = np.where(chosen, curve(distances), found[..., level])
        found[depths[..., None] <= np.arange(levels)] = np.nan
        rising: Floats = np.fmax.accumulate(found[..., ::-1], axis=-1)[..., ::-1] + 0 * found  # NaN stays NaN
        return rising

    def shares(self, ranking: Ranking, distance: float, seen: bool, depth: int) -> tuple[float, ...]:
        """What `shared` says of one item whose path has `depth` levels: of each of these; nothing where the map was not measured."""
        of = self.seen if seen else self.new
        if of is None:
            return ()
        found = [curve.at(distance) for curve in of.of(ranking).shared[:depth]]
        return tuple(accumulate(reversed(found), max))[::-1]

    def predicted(
        self, ranking: Ranking, taxonomy: Taxonomy, shared: Floats, seen: Bools, labels: Integers
    ) -> list[tuple[str, float]]:
        """The query's own path as its nearest items tell it, with the probability that each node is right, coarse -> fine.

        It ends where the next node is no more likely right than wrong; nowhere sure, it is empty.

        Args:
            shared: float64[n, K], what `shared` says of the `nearest` items.
            seen: bool[n], whether the hasher was trained on each.
            labels: int[n] into the taxonomy, -1 for none.
        """
        if not len(labels):
            return []
        nodes = nodes_of(taxonomy, labels)
        winners, support = vote(shared[None], nodes[None])
        share = float(seen.mean())
        certain = np.inf
        path: list[tuple[str, float]] = []
        for level, node in enumerate(winners[0].tolist()):
            parts = [
                (weight, of.of(ranking).predicted[level])
                for weight, of in ((share, self.seen), (1 - share, self.new))
                if weight and of
            ]
            total = sum(weight for weight, _ in parts)
            if node < 0 or not total:
                break
            certain = min(
                certain, sum(weight * float(curve(support[0, level])) for weight, curve in parts) / total
            )
            if certain < SURE:
                break
            label = labels[nodes[:, level] == node][0]
            path.append((taxonomy.paths[label][level], certain))
        return path


def nodes_of(taxonomy: Taxonomy, labels: Integers) -> npt.NDArray[np.int32]:
    """int32[..., K]: the class of each label at each level, -1 where its path has none, or there is no label."""
    nodes = np.where(labels[..., None] < 0, -1, taxonomy.ancestors[labels])
    nodes[depths_of(taxonomy, labels)[..., None] <= np.arange(taxonomy.depth)] = -1
    return nodes.astype(np.int32)


def depths_of(taxonomy: Taxonomy, labels: Integers) -> npt.NDArray[np.int32]:
    """int32[...]: levels of each label's path; 0 where there is no label."""
    return np.where(labels < 0, 0, taxonomy.lengths[labels]).astype(np.int32)


def vote(shared: Floats, nodes: Integers) -> tuple[npt.NDArray[np.int32], Floats]:
    """The path that the nearest items of each query support most, from the coarsest level down.

    An item supports its node at a level by the probability that it shares the query's. At each level the node with the
    greatest sum is taken, of those below the node that was taken above; of equal ones that of the nearer item.

    Args:
        shared: float64[Q, k, K], see `Calibration.shared`; NaN counts 0.
        nodes: int[Q, k, K], see `nodes_of`.

    Returns:
        int32[Q, K], -1 where the path ends; and float64[Q, K], the sum for each node as a share of k.
    """
    queries, count, levels = nodes.shape
    weights = np.nan_to_num(shared)
    winners = np.full((queries, levels), -1, np.int32)
    support = np.zeros((queries, levels))
    below = np.ones((queries, count), np.bool_)
    every = np.arange(queries)
    for level in range(levels):
        own = nodes[..., level]
        below &= own >= 0
        same = (own[:, :, None] == own[:, None]) & below[:, None]
        sums = np.where(below, (same * weights[:, None, :, level]).sum(axis=2).round(9), -1.0)
        best = sums.argmax(axis=1)
        found = below[every, best]
        winners[found, level] = own[every, best][found]
        support[:, level] = np.where(found, sums[every, best], 0.0) / count
        below &= own == winners[:, level, None]
    return winners, support
