"""Probabilities of answers: fitted on one half of the queries and measured on the other, for each database, order and level.

Two databases are looked at. *Seen* is what the hasher was trained on. *New* is as new to it as the queries: the other queries of the
same half, so that no picture has a part in both a fit and its measurement. The halves are drawn by SEED, each class evenly. Each is
measured by the maps that were fitted to the other; the maps that are kept are fitted to both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, Queries
from taxohash.evaluation.isotonic import fitted
from taxohash.evaluation.reliability import Reliability, reliability
from taxohash.evaluation.unlike import flagged, limits
from taxohash.generation.calibration import (
    RANKINGS,
    SURE,
    Calibration,
    Curve,
    Map,
    Ranking,
    Rankings,
    depths_of,
    nodes_of,
    vote,
)
from taxohash.protocols.evaluate import halves
from taxohash.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[Any]  # of any width
Rows = npt.NDArray[np.int64]
NEAREST = 10
SEED = 0
FEWEST = 40  # queries of which anything is fitted
MOST = 2500  # queries of a half that ask, evenly spread


@dataclass(frozen=True)
class Answers:
    """The nearest items of some queries.

    Attributes:
        distances: float64[Q, k], as `Calibration.shared` takes them.
        items: int[Q, k], labels of the items.
        asked: int[Q], labels of the queries.
    """

    distances: Floats
    items: Integers
    asked: Integers

    def __add__(self, other: "Answers") -> "Answers":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Answers(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Measured:
    """The maps of one database in one order, and what they are worth.

    Attributes:
        maps: fitted to both halves.
        shared: of each level, what was measured of the probabilities of answers; None at one that no item's path has.
        predicted: likewise, of the query's own path.
        told: of each level the share of queries whose path is told so far.
    """

    maps: Map
    shared: tuple[Reliability | None, ...]
    predicted: tuple[Reliability | None, ...]
    told: tuple[float, ...]


def calibrate(
    queries: Queries,
    labels: Integers,
    database: tuple[Codes, Integers] | None,
    taxonomy: Taxonomy,
    bits: int,
) -> dict[str, dict[Ranking, Measured]]:
    """Maps of each database that there is, `seen` and `new`, by the order of the answers.

    Args:
        queries: of FEWEST or more pictures that the hasher was not trained on.
        labels: int[Q], of these.
        database: codes uint8[N, ceil(bits/8)] and labels int[N] of what it was trained on; None where that was not looked at.
    """
    parts = _halved(labels)

    def seen(rows: Rows, ranking: Ranking) -> Answers:
        assert database is not None
        some = _spread(rows)
        return _answers(_of(queries, some), labels[some], *database, bits, ranking)

    def new(rows: Rows, ranking: Ranking) -> Answers:
        places = _spread(np.arange(len(rows)))
        own = _of(queries, rows)
        return _answers(
            _of(own, places), labels[rows[places]], own.codes, labels[rows], bits, ranking, places
        )

    asked: dict[str, Callable[[Rows, Ranking], Answers]] = {"seen": seen} if database else {}
    asked["new"] = new
    return {
        name: {
            ranking: _measured([answers(rows, ranking) for rows in parts], taxonomy) for ranking in RANKINGS
        }
        for name, answers in asked.items()
    }


def calibration(
    found: Mapping[str, Mapping[Ranking, Measured]],
    taxonomy: Taxonomy,
    novelty: npt.NDArray[np.float32] | None,
    labels: Integers,
    learned_from: str,
) -> Calibration:
    """What a generation keeps of it: the maps, of each level calibration error and skill, and the limit of novelty.

    Args:
        novelty: float32[Q, 2], of the queries, whose labels int[Q] are given; None where it is not known.
    """

    def told(levels: tuple[Reliability | None, ...]) -> dict[str, Any]:
        return {name: level and level.told() for name, level in zip(taxonomy.levels, levels, strict=True)}

    measured = {
        name: {
            ranking: {
                "shared": told(one.shared),
                "predicted": told(one.predicted),
                "told": dict(zip(taxonomy.levels, one.told, strict=True)),
            }
            for ranking, one in rankings.items()
        }
        for name, rankings in found.items()
    }
    maps = {
        name: Rankings(hamming=rankings["hamming"].maps, weighted=rankings["weighted"].maps)
        for name, rankings in found.items()
    }
    unlike = {} if novelty is None else {"unlike": flagged([novelty[rows] for rows in _halved(labels)])}
    return Calibration(
        nearest=NEAREST,
        learned_from=learned_from,
        seen=maps.get("seen"),
        new=maps.get("new"),
        novelty=() if novelty is None else limits(novelty),
        measured={
            "queries": sum(len(_spread(rows)) for rows in _halved(labels)),
            "seed": SEED,
            **measured,
            **unlike,
        },
    )


def reliability_of(
    found: Mapping[str, Mapping[Ranking, Measured]], taxonomy: Taxonomy
) -> dict[str, dict[str, dict[str, Any]]]:
    """By database, order of the answers and level what figures of it show: `predicted` and `observed` of each bin."""
    return {
        name: {
            ranking: {
                level: {
                    "predicted": one.predicted.round(6).tolist(),
                    "observed": one.observed.round(6).tolist(),
                }
                for level, one in zip(taxonomy.levels, measured.shared, strict=True)
                if one
            }
            for ranking, measured in rankings.items()
        }
        for name, rankings in found.items()
    }


def _halved(labels: Integers) -> list[Rows]:
    """Rows of the two halves, in the order of the data, which breaks ties."""
    return [np.sort(rows) for rows in halves(labels, SEED)]


def _of(queries: Queries, rows: Rows) -> Queries:
    return Queries(queries.outputs[rows])


def _spread(rows: Rows) -> Rows:
    """Of some rows no more than MOST, evenly spread."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.int64))]


def _answers(
    queries: Queries,
    asked: Integers,
    codes: Codes,
    items: Integers,
    bits: int,
    ranking: Ranking,
    own: Rows | None = None,
) -> Answers:
    """The nearest items of queries; `own` are the queries' rows where they are items themselves, which are left out."""
    from taxohash.hamming import HammingIndex  # compiles: only where something is measured

    weights = queries.weights if ranking == "weighted" else None
    index = HammingIndex.build(codes, bits=bits)
    distances, rows = index.search(queries.codes, k=NEAREST + (own is not None), weights=weights)
    if own is not None:
        kept = rows != own[:, None]
        kept[kept.all(axis=1), -1] = False  # of many at distance 0 it was not among the first
        shape = (len(rows), rows.shape[1] - 1)
        distances, rows = distances[kept].reshape(shape), rows[kept].reshape(shape)
    if ranking == "weighted":
        distances = queries.shares(distances)
    return Answers(distances.astype(np.float64), items[rows], asked)


def _measured(parts: list[Answers], taxonomy: Taxonomy) -> Measured:
    """Maps of the answers to both halves, and what those of each half are worth on the other."""
    first, second = parts
    one, other = _fitted(first, taxonomy), _fitted(second, taxonomy)
    pairs = [_outcomes(other, first, taxonomy), _outcomes(one, second, taxonomy)]
    shared, predicted = (
        tuple(_level(*map(np.concatenate, zip(*level, strict=True))) for level in zip(*kind, strict=True))
        for kind in zip(*((shared, predicted) for shared, predicted, _ in pairs), strict=True)
    )
    told = np.concatenate([told for _, _, told in pairs]).mean(axis=0).round(6)
    return Measured(_fitted(first + second, taxonomy), shared, predicted, tuple(told.tolist()))


def _level(probabilities: Floats, outcomes: npt.NDArray[np.bool_]) -> Reliability | None:
    return reliability(probabilities, outcomes) if len(outcomes) else None


Level = tuple[Floats, npt.NDArray[np.bool_]]


def _fitted(answers: Answers, taxonomy: Taxonomy) -> Map:
    """The maps of some answers."""
    has, agrees = _agreement(answers, taxonomy)
    nothing = Curve(scores=(0.0,), probabilities=(0.0,))
    shared = tuple(
        fitted(answers.distances[has[..., level]], agrees[has[..., level], level], rises=False)
        if has[..., level].any()
        else nothing
        for level in range(taxonomy.depth)
    )
    winners, support = vote(_shared(shared, answers, taxonomy), nodes_of(taxonomy, answers.items))
    right = winners == nodes_of(taxonomy, answers.asked)
    told = winners >= 0
    predicted = tuple(
        fitted(support[told[:, level], level], right[told[:, level], level], rises=True)
        if told[:, level].any()
        else nothing
        for level in range(taxonomy.depth)
    )
    return Map(shared=shared, predicted=predicted)


def _outcomes(
    maps: Map, answers: Answers, taxonomy: Taxonomy
) -> tuple[list[Level], list[Level], npt.NDArray[np.bool_]]:
    """At each level the probabilities that maps give to some answers, and what is true; likewise of the path that is told;
    and bool[Q, K], how far that goes."""
    has, agrees = _agreement(answers, taxonomy)
    probabilities = _shared(maps.shared, answers, taxonomy)
    winners, support = vote(probabilities, nodes_of(taxonomy, answers.items))
    right, some = winners == nodes_of(taxonomy, answers.asked), winners >= 0
    curves = [curve(support[:, level]) for level, curve in enumerate(maps.predicted)]
    certain = np.minimum.accumulate(np.stack(curves, axis=1), axis=1)
    levels = range(taxonomy.depth)
    return (
        [(probabilities[has[..., level], level], agrees[has[..., level], level]) for level in levels],
        [(certain[some[:, level], level], right[some[:, level], level]) for level in levels],
        some & (certain >= SURE),
    )


def _agreement(answers: Answers, taxonomy: Taxonomy) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """bool[Q, k, K] each: whether an item's path has the level, and whether it has the query's node there."""
    nodes, asked = nodes_of(taxonomy, answers.items), nodes_of(taxonomy, answers.asked)
    return nodes >= 0, (nodes >= 0) & (nodes == asked[:, None])


def _shared(curves: tuple[Curve, ...], answers: Answers, taxonomy: Taxonomy) -> Floats:
    """As `Calibration.shared` says."""
    maps = Rankings(**{ranking: Map(shared=curves, predicted=curves) for ranking in RANKINGS})
    every = Calibration(nearest=NEAREST, learned_from="", new=maps)
    nothing_seen = np.zeros(answers.items.shape, np.bool_)
    return every.shared("weighted", answers.distances, nothing_seen, depths_of(taxonomy, answers.items))
