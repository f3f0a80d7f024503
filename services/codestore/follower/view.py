"""A replica as it was at one moment: searches, and what is known of rows and ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Rows, Unsigned, fingerprints
from services.codestore.follower.filters import Filter, Prepared, wanted
from services.codestore.follower.ids import split
from services.codestore.follower.state import State
from services.codestore.records import ItemLabels
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import Following, Moment


@dataclass(frozen=True, eq=False)
class Found:
    """Answers to searches, of one moment. Those of query i are at limits[i]:limits[i + 1], nearest first, ties by row.

    Attributes:
        limits: int64[Q + 1].
        rows: int64[n], global rows.
        distances: int32[n], Hamming distances of their codes to the query's.
        weighted: float64[n], weighted distances in units of the weights, where they are ranked by these.
        ids: n of them.
        labels: label numbers of each.
        tags: of each.
    """

    limits: Rows
    rows: Rows
    distances: npt.NDArray[np.int32]
    weighted: npt.NDArray[np.float64] | None
    ids: list[str]
    labels: ItemLabels
    tags: list[tuple[str, ...]]

    def kept(self, answers: Rows) -> "Found":
        """Those at positions int64[n], of one query."""
        if len(answers) == len(self.rows):
            return self
        return Found(
            np.array([0, len(answers)]),
            self.rows[answers],
            self.distances[answers],
            None if self.weighted is None else self.weighted[answers],
            [self.ids[i] for i in answers.tolist()],
            self.labels.taken(answers),
            [self.tags[i] for i in answers.tolist()],
        )

    def behind(self, first: "Found") -> "Found":
        """These, of one query, with those of `first` before them, each once."""
        rest = self.kept(np.flatnonzero(~np.isin(self.rows, first.rows)))
        both = (first, rest)
        weighted = [part.weighted for part in both if part.weighted is not None]
        return Found(
            np.array([0, len(first.rows) + len(rest.rows)]),
            np.concatenate([part.rows for part in both]),
            np.concatenate([part.distances for part in both]),
            np.concatenate(weighted) if len(weighted) == len(both) else None,
            first.ids + rest.ids,
            ItemLabels.joined([part.labels for part in both]),
            first.tags + rest.tags,
        )


class View:
    """What `Replica.view` gives: everything it tells is of one moment. Let it go when the answer is made.

    Attributes:
        touched: of the last search: `path`, the arrangement of the codes, and `touched`, how many were looked at.
    """

    def __init__(self, state: State, moment: Moment, prepared: Prepared) -> None:
        self._state, self._moment, self._prepared = state, moment, prepared
        self.touched: dict[str, int | str] = {}

    def __len__(self) -> int:
        """Items that can be found."""
        return len(self._moment)

    @property
    def changes(self) -> int:
        """How many had been made: views of one replica with as many tell the same."""
        return self._moment.changes

    @property
    def uncoded(self) -> int:
        """Members of the generation whose code is not there."""
        return self._state.uncoded

    def search(
        self,
        codes: Codes,
        k: int = 10,
        radius: int | None = None,
        within: str | Iterable[str] = (),
        tags: str | Iterable[str] = (),
        where: Filter | None = None,
        threads: int = 1,
        weights: npt.NDArray[np.float32] | None = None,
        most: int | None = None,
    ) -> Found:
        """The k nearest items of each code, or all within a radius, of those that filters allow.

        Args:
            codes: uint8[Q, ceil(bits/8)].
            k: how many; not looked at with a radius.
            radius: the greatest Hamming distance, also where those within it are ranked by weights.
            most: with a radius no more than so many of each code: those of the least Hamming distance, ties by row, also
                where they are ranked by weights.
            within: nodes 'coarse/.../name' of the taxonomy: items below one of them.
            tags: items that have all of them.
            where: any other combination.
            threads: see `HammingIndex.search`.
            weights: float32[Q, bits], of the codes' bits: what is nearest goes by these, see `HammingIndex.search`.

        Raises:
            TaxohashError: an unknown node or tag, or what `HammingIndex.search` refuses.
        """
        allowed = self._allowed(within, tags, where)
        if weights is not None:
            return self._weighted(codes, weights, k, radius, most, allowed, threads)
        if radius is not None:
            limits, distances, rows = self._within(codes, radius, most, allowed, threads)
            return self._found(limits, rows, distances)
        near, found = self._nearest(codes, k, allowed, threads)
        return self._found(_limits(found), found.ravel(), near.ravel())

    def with_code(
        self,
        code: Codes,
        fingerprint: int,
        most: int,
        within: str | Iterable[str] = (),
        tags: str | Iterable[str] = (),
    ) -> Rows:
        """Rows int64[n] of the items with this very code uint8[1, ceil(bits/8)] whose pictures may have the fingerprint, of
        those that filters allow, no more than `most`: those that have it, by row, then those of which none is known.

        Raises:
            TaxohashError: see `search`.
        """
        rows = self._within(code, 0, None, self._allowed(within, tags, None), 1)[2]
        known = fingerprints(self._state.cells(rows).states)
        return np.concatenate([rows[known == fingerprint], rows[known == 0]])[:most]

    def equal(self, rows: Rows, weighted: bool) -> Found:
        """The items in rows int64[n] as answers to a query whose very code they have, by weights or not."""
        limits, none = np.array([0, len(rows)]), np.zeros(len(rows), np.int32)
        return self._found(limits, rows, none, none.astype(np.float64) if weighted else None)

    def codes_of(self, rows: Rows) -> Codes:
        """uint8[n, ceil(bits/8)]: the code of the item in each row.

        Raises:
            TaxohashError: nothing that can be found is there.
        """
        return self._moment.codes(rows)

    def nearest(self, code: Codes, count: int) -> tuple[npt.NDArray[np.int32], Rows]:
        """The Hamming distances int32[n] of a code uint8[1, ceil(bits/8)] to its `count` nearest items, and to all others as near as
        the last of these; ascending. And their rows int64[n]."""
        near, rows = self._moment.search(code, count)
        if not 0 < near.shape[1] == count < len(self):
            return near[0].astype(np.int32), rows[0]
        _, distances, rows = self._moment.range_search(code, int(near[0, -1]))
        return distances.astype(np.int32), rows

    def least(self, code: Codes) -> int | None:
        """The Hamming distance of a code uint8[1, ceil(bits/8)] to the nearest item; None where there is none."""
        near, _ = self._moment.search(code, 1)
        return int(near[0, 0]) if near.size else None

    def some_codes(self, most: int) -> Codes:
        """uint8[n, ceil(bits/8)]: the codes of the items that can be found, or of so many of them, drawn by chance and always the same."""
        rows = np.flatnonzero(self._state.searchable_sets() >= 0)[: len(self)]  # none before all is loaded
        if len(rows) > most:
            rows = rows[np.random.default_rng(0).choice(len(rows), most, replace=False, shuffle=False)]
        return self.codes_of(rows)

    def histogram(
        self, code: Codes, within: str | Iterable[str] = (), tags: str | Iterable[str] = ()
    ) -> npt.NDArray[np.int64]:
        """int64[bits + 1]: how many items that filters allow lie at each Hamming distance of a code uint8[1, ceil(bits/8)].

        Raises:
            TaxohashError: see `search`.
        """
        return self._moment.histogram(code, self._allowed(within, tags, None))

    def _allowed(
        self, within: str | Iterable[str], tags: str | Iterable[str], where: Filter | None
    ) -> Following | None:
        asked = wanted(within, tags, where)
        return None if asked is None else self._prepared.selection(asked, self._state, self._moment)

    def _nearest(
        self,
        codes: Codes,
        k: int,
        allowed: Following | None,
        threads: int,
    ) -> tuple[npt.NDArray[Any], Rows]:
        answers = self._moment.search(codes, k, allowed, threads)
        self.touched = self._moment.touched
        return answers

    def _within(
        self, codes: Codes, radius: int, most: int | None, allowed: Following | None, threads: int
    ) -> tuple[Rows, npt.NDArray[np.int32], Rows]:
        """Answers within a radius: limits, distances and rows; so many of each code at most."""
        if most is None:
            return self._moment.range_search(codes, radius, allowed, threads)
        near, found = self._nearest(codes, most, allowed, threads)
        inside = near <= radius
        limits = np.concatenate([[0], np.cumsum(np.count_nonzero(inside, axis=1))])
        return limits, near[inside], found[inside]

    def _weighted(
        self,
        codes: Codes,
        weights: npt.NDArray[np.float32],
        k: int,
        radius: int | None,
        most: int | None,
        allowed: Following | None,
        threads: int,
    ) -> Found:
        """Answers by weights, and the Hamming distances of these."""
        if radius is None:
            weighted, near, found = self._moment.search_weighted(codes, weights, k, allowed, threads)
            self.touched = self._moment.touched
            return self._found(_limits(found), found.ravel(), near.ravel(), weighted.ravel())
        limits, distances, rows = self._within(codes, radius, most, allowed, threads)
        weighted = self._distances(codes, limits, rows, weights)
        order = np.lexsort((rows, weighted, np.repeat(np.arange(len(codes)), np.diff(limits))))
        return self._found(limits, rows[order], distances[order], weighted[order])

    def _found(
        self,
        limits: Rows,
        rows: Rows,
        distances: npt.NDArray[np.int32],
        weighted: npt.NDArray[np.float64] | None = None,
    ) -> Found:
        """With what is known of the rows."""
        cells = self._state.cells(rows)
        ids = split(self._state.arrays.arena, cells.offsets)
        labels, tags = self._state.labels.members(cells.labels), self._tags(cells.tags)
        return Found(limits, rows, distances, weighted, ids, labels, tags)

    def _distances(
        self, codes: Codes, limits: Rows, rows: Rows, weights: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[Any]:
        """Of each answer to its query, by weights where such are given."""
        spans = [slice(start, stop) for start, stop in pairwise(limits.tolist())]
        return np.concatenate(
            [
                np.empty(0, np.int32 if weights is None else np.float64),
                *(
                    self._moment.distances(
                        codes[i : i + 1], rows[span], None if weights is None else weights[i : i + 1]
                    )
                    for i, span in enumerate(spans)
                ),
            ]
        )

    def ids_of(self, rows: Rows) -> list[str]:
        """The id of the member in each row; empty where there is none."""
        return split(self._state.arrays.arena, self._state.cells(self._known(rows)).offsets)

    def labels_of(self, rows: Rows) -> ItemLabels:
        """The label numbers of the member in each row."""
        return self._state.labels.members(self._state.sets(self._known(rows))[0])

    def tags_of(self, rows: Rows) -> list[tuple[str, ...]]:
        """The tags of the member in each row."""
        return self._tags(self._state.sets(self._known(rows))[1])

    def _tags(self, sets: Unsigned) -> list[tuple[str, ...]]:
        """The tags of some sets."""
        if not sets.any():  # what most items have
            return [()] * len(sets)
        names, members = self._state.vocabulary.names, self._state.tags.members(sets)
        return [tuple(names[number] for number in members[i]) for i in range(len(members))]

    def label_sets(self) -> tuple[ItemLabels, Rows, Rows]:
        """The sets of label numbers that items which can be found have, int64[n] how many have each, int64[n] a row of each."""
        state = self._state
        found, firsts, counts = np.unique(state.searchable_sets(), return_index=True, return_counts=True)
        kept = found >= 0
        return state.labels.members(found[kept]), counts[kept].astype(np.int64), firsts[kept].astype(np.int64)

    def labelled(self) -> tuple[ItemLabels, Rows, Rows]:
        """Sets of label numbers; int64[n] the rows of the items that can be found, ascending, and int64[n] which set each has."""
        state = self._state
        sets = state.searchable_sets()
        rows: Rows = np.flatnonzero(sets >= 0).astype(np.int64)
        return state.labels.members(np.arange(state.label_sets)), rows, sets[rows]

    def unknown_labels(self) -> int:
        """Members with a label number that the taxonomy version does not know: no subtree has them for it."""
        state = self._state
        members = state.labels.members(np.arange(state.label_sets))
        odd = np.zeros(state.label_sets, np.bool_)
        odd[members.owners[self._prepared.ranks.unknown(members.flat)]] = True
        if not odd.any():
            return 0
        return int(np.count_nonzero(odd[state.sets(len(state.arrays))[0]]))

    def _known(self, rows: Rows) -> Rows:
        array: Rows = np.asarray(rows, np.int64)
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < len(self._state.arrays):
            raise TaxohashError(f"rows reach from {array.min()} to {array.max()}: none is known there")
        return array


def _limits(found: Rows) -> Rows:
    """int64[Q + 1], of rows int64[Q, k]."""
    limits: Rows = np.arange(len(found) + 1, dtype=np.int64) * found.shape[1]
    return limits
