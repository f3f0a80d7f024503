"""The metrics of each protocol, by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash import metrics as m
from taxohash.metrics.ranking import Floats
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import TreeSimilarity

Measure = Callable[[m.Ranking], Floats]
Measures = dict[str, Measure]
Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """One way to grade the database, and what is measured under it.

    Attributes:
        grades: grade of every item for every query.
        measures: metrics of a ranking, by name.
        by_radius: metrics that need blocks to be Hamming distances.
        curves: grade that counts as relevant for each precision-recall curve, by level.
    """

    grades: m.Grades
    measures: Measures
    by_radius: Measures = field(default_factory=dict)
    curves: dict[str, int] = field(default_factory=dict)


def levels_of(taxonomy: Taxonomy) -> dict[str, int]:
    """Suffix of a metric's name -> least grade, finest level first; the finest has no suffix."""
    depth = taxonomy.depth
    return {"" if k == depth - 1 else f"/{taxonomy.levels[k]}": k + 1 for k in reversed(range(depth))}


def by_level(
    taxonomy: Taxonomy, query: Labels, database: Labels, measures: Measures, precisions: bool = True
) -> View:
    """A view graded by agreement with the taxonomy: mAP and precisions at every level, and `measures`."""
    named: Measures = {}
    levels = levels_of(taxonomy)
    for suffix, grade in levels.items():
        named[f"mAP{suffix}"] = partial(m.average_precision, grade=grade)
    named |= measures
    for suffix, grade in levels.items() if precisions else ():
        for at in (1, 10, 100):
            named[f"P@{at}{suffix}"] = partial(m.precision, grade=grade, at=at)
    by_radius: Measures = {"collisions": partial(m.collisions, grade=taxonomy.depth)}
    by_radius |= {f"P@r2{s}": partial(m.precision_within, grade=g, radius=2) for s, g in levels.items()}
    return View(
        grades=m.Grades.of_tree(taxonomy.ancestors, query, database),
        measures=named,
        by_radius=by_radius,
        curves={taxonomy.levels[grade - 1]: grade for grade in levels.values()},
    )


def hierarchy(depth: int, radius: int) -> Measures:
    """Metrics of SHPDH, and the other hierarchical ones, for grades 0 ... depth and similarity grade / depth."""
    grade = np.arange(depth + 1, dtype=np.float64)
    similarity = grade / depth
    measures: Measures = {
        f"mAHP@{radius}": partial(m.average_hierarchical_precision, similarity=similarity, at=radius),
        "nDCG@100": partial(m.ndcg, gains=grade, at=100),
        "nDCG@100/at": partial(m.ndcg, gains=grade, at=100, curve=False),
        "nDCG@100/hpdh": partial(m.ndcg, gains=grade, at=100, discount="hpdh"),
        "nDCG@100/exp": partial(m.ndcg, gains=2**grade - 1, at=100, discount="log", curve=False),
        "nDCG@all/exp": partial(m.ndcg, gains=2**grade - 1, at=None, discount="log", curve=False),
        "ACG@100": partial(m.average_cumulative_gain, gains=grade, at=100),
        f"WR@{radius}": partial(m.weighted_recall, similarity=similarity, at=radius),
        "H-AP": partial(m.hierarchical_average_precision, similarity=similarity),
        "ASI": m.average_set_intersection,
    }
    return measures | hierarchical_precisions(similarity)


def hierarchical_precisions(similarity: Floats, suffix: str = "") -> Measures:
    """HP@{1, 10, 50, 100}."""
    return {
        f"HP@{at}{suffix}": partial(m.hierarchical_precision, similarity=similarity, at=at)
        for at in (1, 10, 50, 100)
    }


def by_similarity(similarity: TreeSimilarity, query: Labels, database: Labels, suffix: str = "") -> View:
    """A view graded by a similarity of labels: Barz and Denzler's metrics."""
    values = similarity.values()
    measures: Measures = {
        f"mAHP@250{suffix}": partial(
            m.average_hierarchical_precision, similarity=values, at=250, rule="trapezoid"
        )
    }
    # Of what no two labels have, any value will do: there is no such item.
    table = np.minimum(np.searchsorted(values, similarity.table), len(values) - 1)
    grades = m.Grades.of_agreement(
        table, similarity.taxonomy.ancestors, similarity.row, similarity.kind, query, database
    )
    return View(grades, measures | hierarchical_precisions(values, suffix))
