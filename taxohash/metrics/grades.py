"""Graded relevance: how much each database item is worth to each query."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taxohash.metrics.ranking import Ints


@dataclass(frozen=True)
class Grades:
    """Grade of every database item for every query, by classes of items that share all their grades.

    Attributes:
        table: unsigned[P, C]: grade of database class c for query class p.
        query: int64[Q], classes of the queries.
        database: int64[N], classes of the database.
        levels: number of different grades, G; grades are 0 ... G - 1.
    """

    table: npt.NDArray[np.unsignedinteger]
    query: Ints
    database: Ints
    levels: int

    @classmethod
    def of_labels(cls, table: npt.NDArray[np.integer], query: Ints, database: Ints) -> "Grades":
        """Grades of single labels, from a table int[labels, labels] of grades."""
        highest = int(table.max())
        return cls(table.astype(np.min_scalar_type(highest)), query, database, highest + 1)

    @classmethod
    def of_label_sets(cls, query: npt.NDArray[np.bool_], database: npt.NDArray[np.bool_]) -> "Grades":
        """Grades of label sets bool[*, labels]: the number of labels shared (DSRH, CVPR 2015)."""
        query_sets, query_class = np.unique(query, axis=0, return_inverse=True)
        database_sets, database_class = np.unique(database, axis=0, return_inverse=True)
        shared = query_sets.astype(np.float32) @ database_sets.astype(np.float32).T
        return cls.of_labels(shared.astype(np.int64), query_class.reshape(-1), database_class.reshape(-1))

    def rows(self, queries: slice) -> npt.NDArray[np.unsignedinteger]:
        """unsigned[q, N]: grades of every database item for some queries."""
        return self.table[self.query[queries]][:, self.database]
