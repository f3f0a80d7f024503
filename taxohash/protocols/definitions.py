"""The named protocols. A number is comparable only with numbers of the same protocol."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from taxohash import metrics as m
from taxohash.errors import TaxohashError
from taxohash.protocols.measures import (
    Labels,
    Measures,
    View,
    by_level,
    by_similarity,
    hierarchy,
)
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import by_height, by_wup


@dataclass(frozen=True)
class Protocol:
    """What is ranked, how it is graded and what is measured.

    Attributes:
        views: from query labels, database labels and taxonomy; the first one gives the curves.
        ranks: what a query ranks: the database; or, where there is none but the queries, the others, or those of the
            other half, see `halves`.
        label_sets: whether relevance is defined for items that have sets of labels, or for no others.
        queries, database, classes: counts of the data set that the protocol names, classes of each level
            coarse -> fine; a report notes where they differ.
    """

    name: str
    summary: str
    views: Callable[[Labels, Labels, Taxonomy], list[View]]
    ranks: Literal["database", "others", "halves"] = "database"
    label_sets: Literal["refused", "taken", "demanded"] = "refused"
    queries: int | None = None
    database: int | None = None
    classes: tuple[int, ...] | None = None

    @property
    def among_queries(self) -> bool:
        """Whether the queries are ranked among themselves, and there is no other database."""
        return self.ranks != "database"

    def grades_sets(self, sets: bool) -> bool:
        """Whether items are graded by sets of labels, given that they have such, or one label each.

        Raises:
            TaxohashError: they have sets, and their relevance is not defined.
        """
        if sets and self.label_sets == "refused":
            others = [name for name, other in PROTOCOLS.items() if other.label_sets != "refused"]
            raise TaxohashError(
                f"protocol {self.name!r} grades one label an item, not label sets: use {' or '.join(others)}"
            )
        return sets or self.label_sets == "demanded"


def _hpdh(query: Labels, database: Labels, taxonomy: Taxonomy, radius: int) -> list[View]:
    return [by_level(taxonomy, query, database, hierarchy(taxonomy.depth, radius))]


def _hierarchical(query: Labels, database: Labels, taxonomy: Taxonomy) -> list[View]:
    return _hpdh(query, database, taxonomy, superclass_size(database, taxonomy))


def superclass_size(database: Labels, taxonomy: Taxonomy) -> int:
    """Median number of database items in a superclass: a class of the coarsest level that has more than one."""
    level = next((k for k in range(taxonomy.depth) if taxonomy.class_count(k) > 1), taxonomy.depth - 1)
    sizes = np.bincount(taxonomy.ancestors[database, level])
    return int(np.median(sizes[sizes > 0]))


def _flat(query: Labels, database: Labels, taxonomy: Taxonomy) -> list[View]:
    if query.ndim == 2:
        shared = m.Grades.of_label_sets(query.astype(bool), database.astype(bool))
        grades = replace(shared, runs=(shared.runs > 0).astype(np.uint8), levels=2)
    else:
        own_class = np.arange(len(taxonomy))[:, None]
        grades = m.Grades.of_tree(own_class, query, database)
    measures: Measures = {"mAP": partial(m.average_precision, grade=1)}
    measures |= {f"mAP@{at}": partial(m.average_precision, grade=1, at=at) for at in (1000, 5000)}
    measures |= {f"P@{at}": partial(m.precision, grade=1, at=at) for at in (1, 10, 100, 1000)}
    return [View(grades, measures, _by_radius(), {"label": 1})]


def _multilabel(query: Labels, database: Labels, taxonomy: Taxonomy) -> list[View]:
    grades = m.Grades.of_label_sets(query.astype(bool), database.astype(bool))
    shared = np.arange(grades.levels, dtype=np.float64)
    measures: Measures = {
        "nDCG@100": partial(m.ndcg, gains=2**shared - 1, at=100, discount="log", curve=False),
        "ACG@100": partial(m.average_cumulative_gain, gains=shared, at=100),
        "wmAP@5000": partial(m.weighted_average_precision, gains=shared, at=5000),
        "mAP": partial(m.average_precision, grade=1),
        "mAP@5000": partial(m.average_precision, grade=1, at=5000),
        "P@100": partial(m.precision, grade=1, at=100),
    }
    return [View(grades, measures, _by_radius(), {"any label": 1})]


def _by_radius() -> Measures:
    """Of binary relevance."""
    return {
        "P@r2": partial(m.precision_within, grade=1, radius=2),
        "collisions": partial(m.collisions, grade=1),
    }


def _barz(query: Labels, database: Labels, taxonomy: Taxonomy) -> list[View]:
    return [
        by_similarity(by_height(taxonomy), query, database),
        by_similarity(by_wup(taxonomy), query, database, "/wup"),
        by_level(taxonomy, query, database, {}, precisions=False),
    ]


def _fine_grained(query: Labels, database: Labels, taxonomy: Taxonomy) -> list[View]:
    return [by_level(taxonomy, query, database, {})]


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "hierarchical",
            "Any taxonomy: mAP at every level, mAHP at the median superclass size, nDCG@100 (mean of the curve).",
            _hierarchical,
        ),
        Protocol(
            "hpdh-cifar100",
            "SHPDH on CIFAR-100: 10,000 test queries, 50,000 training codes; mAP@all, mAHP@2500, nDCG@100.",
            partial(_hpdh, radius=2500),
            queries=10_000,
            database=50_000,
            classes=(20, 100),
        ),
        Protocol(
            "hpdh-heldout",
            "The database held out of training: CIFAR-100's 10,000 test images in two halves, seed 0, stratified by class, each ranks"
            " the other; mAP@all, mAHP@2500, nDCG@100, mean of both.",
            partial(_hpdh, radius=2500),
            ranks="halves",
            queries=10_000,
            classes=(20, 100),
        ),
        Protocol(
            "hpdh-nabirds",
            "SHPDH on NABirds, official split: mAP@all, mAHP@250, nDCG@100.",
            partial(_hpdh, radius=250),
            queries=24_633,
            database=23_929,
            classes=(22, 228, 495, 555),
        ),
        Protocol(
            "barz",
            "Barz and Denzler: each test image queries the others; similarity by height of the common ancestor"
            " on the tree given; AHP@250 by the trapezoid rule, so that a perfect ranking scores 0.996.",
            _barz,
            ranks="others",
        ),
        Protocol(
            "flat",
            "Flat labels or label sets: mAP@all, @1000, @5000 over what is found (HashNet, CSQ).",
            _flat,
            label_sets="taken",
        ),
        Protocol(
            "multilabel",
            "DSRH: label sets; nDCG@100 with gain 2^r - 1, ACG@100, weighted mAP@5000, r the labels shared.",
            _multilabel,
            label_sets="demanded",
        ),
        Protocol("fine-grained", "Fine-grained sets: mAP@all, test against training images.", _fine_grained),
    )
}


def find_protocol(name: str) -> Protocol:
    """The protocol with this name.

    Raises:
        TaxohashError: there is none.
    """
    if name not in PROTOCOLS:
        raise TaxohashError(f"there is no protocol {name!r}: use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
