"""A replica as it was at one moment: searches, and what is known of rows and ids."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Rows
from services.codestore.follower.filters import Filter, Prepared, wanted
from services.codestore.follower.ids import split
from services.codestore.follower.state import State
from services.codestore.records import ItemLabels
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import Moment


@dataclass(frozen=True, eq=False)
class Found:
    """Answers to searches, of one moment. Those of query i are at limits[i]:limits[i + 1], nearest first, ties by row.

    Attributes:
        limits: int64[Q + 1].
        rows: int64[n], global rows.
        distances: int32[n].
        ids: n of them.
        labels: label numbers of each.
    """

    limits: Rows
    rows: Rows
    distances: npt.NDArray[np.int32]
    ids: list[str]
    labels: ItemLabels


class View:
    """What `Replica.view` gives: everything it tells is of one moment. Let it go when the answer is made."""

    def __init__(self, state: State, moment: Moment, prepared: Prepared) -> None:
        self._state, self._moment, self._prepared = state, moment, prepared

    def __len__(self) -> int:
        """Items that can be found."""
        return len(self._moment)

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
    ) -> Found:
        """The k nearest items of each code, or all within a radius, of those that filters allow.

        Args:
            codes: uint8[Q, ceil(bits/8)].
            k: how many; not looked at with a radius.
            radius: the greatest distance.
            within: nodes 'coarse/.../name' of the taxonomy: items below one of them.
            tags: items that have all of them.
            where: any other combination.
            threads: see `HammingIndex.search`.

        Raises:
            TaxohashError: an unknown node or tag, or what `HammingIndex.search` refuses.
        """
        asked = wanted(within, tags, where)
        allowed = None if asked is None else self._prepared.selection(asked, self._state, self._moment)
        if radius is None:
            near, found = self._moment.search(codes, k, allowed, threads)
            limits = np.arange(len(found) + 1, dtype=np.int64) * found.shape[1]
            rows, distances = found.ravel(), near.ravel()
        else:
            limits, distances, rows = self._moment.range_search(codes, radius, allowed, threads)
        cells = self._state.cells(rows)
        ids = split(self._state.arrays.arena, cells.offsets)
        return Found(limits, rows, distances, ids, self._state.labels.members(cells.labels))

    def ids_of(self, rows: Rows) -> list[str]:
        """The id of the member in each row; empty where there is none."""
        return split(self._state.arrays.arena, self._state.cells(self._known(rows)).offsets)

    def labels_of(self, rows: Rows) -> ItemLabels:
        """The label numbers of the member in each row."""
        return self._state.labels.members(self._state.sets(self._known(rows))[0])

    def tags_of(self, rows: Rows) -> list[tuple[str, ...]]:
        """The tags of the member in each row."""
        names = list(self._state.vocabulary.numbers)
        members = self._state.tags.members(self._state.sets(self._known(rows))[1])
        return [tuple(names[number] for number in members[i]) for i in range(len(members))]

    def label_sets(self) -> tuple[ItemLabels, Rows, Rows]:
        """The sets of label numbers that items which can be found have, int64[n] how many have each, int64[n] a row of each."""
        state = self._state
        found, firsts, counts = np.unique(state.searchable_sets(), return_index=True, return_counts=True)
        kept = found >= 0
        return state.labels.members(found[kept]), counts[kept].astype(np.int64), firsts[kept].astype(np.int64)

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
