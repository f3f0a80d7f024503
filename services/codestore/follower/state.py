"""What a replica is after each change, for readers that do not wait for the writer.

Columns are written in place: copying them at each change would cost what all items cost. A state stays readable all the
same, as databases do it, by an undo log. Before the writer overwrites rows, it hands the present state what was in them,
and the state that comes next. A reader reads cells first, and *then* goes through what the states since have
undone, so whatever it saw of a change, or of a half of it, is put back. A reader's state and those after it live as long as
he holds his; of states that nobody holds nothing is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from services.codestore.follower.arrays import Arrays, Cells, Rows, Unsigned, searchable
from services.codestore.follower.packed import Vocabulary
from services.codestore.follower.sets import Sets
from taxohash.hamming import HammingIndex


class Undo:
    """What was in some rows before they were overwritten."""

    def __init__(self, rows: Sequence[Rows], cells: Sequence[Cells]) -> None:
        """`cells` are those of `rows`; together they have each row once."""
        self._given = rows, cells

    @cached_property
    def _sorted(self) -> tuple[Rows, Cells]:
        """All rows in ascending order; made when it is asked for, which is seldom."""
        rows, cells = self._given
        joined = Cells(*(np.concatenate(columns) for columns in zip(*cells, strict=True)))
        order = np.argsort(np.concatenate(rows))
        return np.concatenate(rows)[order], joined.of(order)

    def into(self, found: Mapping[str, Unsigned], rows: Rows | int) -> None:
        """Put back what was in those rows int64[n], or of the first so many rows, that were overwritten."""
        overwritten, cells = self._sorted
        here: Rows
        if isinstance(rows, int):
            here = np.arange(np.searchsorted(overwritten, rows))
            there = overwritten[here]
        else:
            at = np.searchsorted(overwritten, rows)
            there = np.flatnonzero(np.append(overwritten, -1)[at] == rows)
            here = at[there]
        for name, column in found.items():
            column[there] = getattr(cells, name)[here]


@dataclass(eq=False)
class State:
    """A replica between two changes.

    Attributes:
        changes: of the index, which this state belongs to.
        label_sets, tag_sets: how many had a number.
        uncoded: members whose code was not there.
        after: what the next change has overwritten, and the state that it led to. Nothing is undone where the arrays
            were packed: those of this state are not written any more.
    """

    index: HammingIndex
    changes: int
    arrays: Arrays
    labels: Sets
    tags: Sets
    vocabulary: Vocabulary
    label_sets: int
    tag_sets: int
    uncoded: int
    after: "tuple[Undo | None, State] | None" = field(default=None, repr=False)

    def cells(self, rows: Rows) -> Cells:
        """Of rows int64[n], as they were."""
        return Cells(**self._read(Cells._fields, rows))

    def searchable_sets(self) -> Rows:
        """int64[rows]: the label set of each row that can be found, -1 of others."""
        found = self._read(("states", "labels"), len(self.arrays))
        return np.where(searchable(found["states"]), found["labels"].astype(np.int64), -1)

    def sets(self, rows: Rows | int) -> tuple[Unsigned, Unsigned]:
        """The label sets and the tag sets of rows int64[n], or of the first so many rows, as they were."""
        found = self._read(("labels", "tags"), rows)
        return found["labels"], found["tags"]

    def _read(self, names: Iterable[str], rows: Rows | int) -> dict[str, Any]:
        columns = {name: getattr(self.arrays.cells, name) for name in names}
        found = {
            name: column[:rows].copy() if isinstance(rows, int) else column[rows]
            for name, column in columns.items()
        }
        for undo in reversed(list(self._undone())):  # the oldest last: it has what was there at first
            undo.into(found, rows)
        return found

    def _undone(self) -> Iterator[Undo]:
        after = self.after
        while after is not None:
            undo, state = after
            if undo is None:
                return
            yield undo
            after = state.after
