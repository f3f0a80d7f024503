"""Graded relevance: how much each database item is worth to each query."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taxohash.metrics.ranking import Ints

Unsigned = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Grades:
    """Grade of every database item for every query.

    In `order` the grades of a query are runs of one value, and only these are held. Of a tree there are 2K + 1, however
    many labels it has: on both sides of what agrees with the query on one level more lies what does not.

    Attributes:
        order: int64[N], the items of the database, as the runs go through them.
        query: int64[Q], classes of the queries: those of one class have the same grades.
        bounds: int64[P, S + 1]: where in `order` run s of query class p begins, and the next one; int64[1, S + 1] where
            the runs of all classes are the same but for their grades.
        runs: unsigned[P, S], grade of every run.
        levels: number of different grades, G; grades are 0 ... G - 1.
    """

    order: Ints
    query: Ints
    bounds: Ints
    runs: Unsigned
    levels: int

    @classmethod
    def of_labels(cls, table: npt.NDArray[np.integer], query: Ints, database: Ints) -> "Grades":
        """Grades of single labels, from a table int[P, C] of grades by class of query and of database item."""
        order = np.argsort(database, kind="stable")
        starts = np.searchsorted(database[order], np.arange(table.shape[1] + 1))
        return cls(order, query, starts[None], *_smallest(table))

    @classmethod
    def of_label_sets(cls, query: npt.NDArray[np.bool_], database: npt.NDArray[np.bool_]) -> "Grades":
        """Grades of label sets bool[*, labels]: the number of labels shared (DSRH, CVPR 2015)."""
        query_sets, query_class = np.unique(query, axis=0, return_inverse=True)
        database_sets, database_class = np.unique(database, axis=0, return_inverse=True)
        shared = query_sets.astype(np.float32) @ database_sets.astype(np.float32).T
        return cls.of_labels(shared.astype(np.int64), query_class.reshape(-1), database_class.reshape(-1))

    @classmethod
    def of_tree(cls, ancestors: npt.NDArray[np.integer], query: Ints, database: Ints) -> "Grades":
        """Grades of single labels: the number of levels on which they agree.

        Args:
            ancestors: int[labels, K], class of every label at every level, coarse -> fine.
        """
        levels, same = np.arange(ancestors.shape[1] + 1), np.zeros(len(ancestors), np.int64)
        return cls.of_agreement(levels[None, None], ancestors, same, same, query, database)

    @classmethod
    def of_agreement(
        cls,
        table: npt.NDArray[np.integer],
        ancestors: npt.NDArray[np.integer],
        row: Ints,
        kind: Ints,
        query: Ints,
        database: Ints,
    ) -> "Grades":
        """Grades of single labels, by the levels on which they agree and by what else is known of each.

        Args:
            table: int[R, T, K + 1]: grade by row of the query's label, kind of the item's, levels they agree on.
            ancestors: int[labels, K], class of every label at every level, coarse -> fine.
            row, kind: int64[labels].
        """
        (labels, levels), kinds = ancestors.shape, table.shape[1]
        asked, query_class = np.unique(query, return_inverse=True)
        # The labels of every kind in the order of the tree: there a class is a run, inside that of its parent.
        position, first, last = _spans(ancestors)
        place = (kind * labels + position)[database]
        before = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=kinds * labels))])
        edges = np.hstack([np.zeros((len(asked), 1), np.int64), first[asked], last[asked, ::-1]])
        starts = [before[of_kind * labels + edges] for of_kind in range(kinds)]
        bounds = np.hstack([*starts, np.full((len(asked), 1), len(database))])
        steps = np.arange(2 * levels + 1)
        agreed = np.minimum(steps, steps[::-1])  # on the way in, and out again
        smallest, grades = _smallest(table)
        runs = np.take(smallest[row[asked]], agreed, axis=2).reshape(len(asked), -1)
        return cls(np.argsort(place, kind="stable"), query_class, bounds, runs, grades)

    def rows(self, queries: slice) -> Unsigned:
        """unsigned[q, N]: grades of every database item for some queries."""
        classes = self.query[queries]
        runs = self.runs[classes]
        sizes = np.broadcast_to(np.diff(self._bounds_of(classes)), runs.shape)
        ordered = np.repeat(runs.reshape(-1), sizes.reshape(-1)).reshape(len(classes), -1)
        grades = np.empty_like(ordered)
        grades[:, self.order] = ordered
        return grades

    def own(self, queries: slice) -> Unsigned:
        """unsigned[q]: grade of item i for query i, where the queries are the database."""
        classes = self.query[queries]
        run = (self._bounds_of(classes)[:, 1:] <= self._position[queries, None]).sum(axis=1)
        own: Unsigned = self.runs[classes, run]
        return own

    @cached_property
    def _position(self) -> Ints:
        """int64[N]: where every item lies in `order`."""
        return np.argsort(self.order)

    def _bounds_of(self, classes: Ints) -> Ints:
        return self.bounds[classes] if len(self.bounds) > 1 else self.bounds


def _smallest(table: npt.NDArray[np.integer]) -> tuple[Unsigned, int]:
    """Grades in the smallest type that holds them, C-contiguous, and their number."""
    highest = int(table.max())
    return table.astype(np.min_scalar_type(highest), order="C"), highest + 1


def _spans(ancestors: npt.NDArray[np.integer]) -> tuple[Ints, Ints, Ints]:
    """Position of every label in the order of the tree, and where its class of every level begins and ends there.

    int64[labels], int64[labels, K] and int64[labels, K].
    """
    order = np.lexsort(ancestors.T[::-1])
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    first, last = (np.empty(ancestors.shape, np.int64) for _ in range(2))
    for level, classes in enumerate(ancestors.T):
        ordered = classes[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        begin, sizes = np.zeros(len(starts), np.int64), np.bincount(classes)
        begin[ordered[starts]] = starts
        first[:, level], last[:, level] = begin[classes], (begin + sizes)[classes]
    return position, first, last
