"""The copy of one generation in a serving process: packed, searchable, and changed while it is searched."""

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Flags, Rows, States, lacking, longer, searchable
from services.codestore.follower.change import Change, collect
from services.codestore.follower.filters import Filter, Prepared
from services.codestore.follower.packed import Packed
from services.codestore.follower.ranks import Ranks
from services.codestore.follower.state import State, Undo
from services.codestore.follower.view import Found, View
from services.codestore.records import Columns, ItemLabels
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import HammingIndex
from taxohash.taxonomy import Taxonomy

FILTER_BYTES = (1 << 24, 2)  # prepared filters may take so much, or so many bytes an item


class Replica:
    """Items of one generation, searched by any number of threads while one applies what the store has changed.

    A row of the replica is row * segments + segment of the store, in every process the same; ties fall by it. Nothing is
    found until every segment was loaded once.
    """

    def __init__(
        self,
        bits: int,
        segments: int,
        taxonomy: Taxonomy,
        numbers: npt.NDArray[np.int32] | None = None,
        centres: Codes | None = None,
    ) -> None:
        """An empty replica.

        Args:
            bits: of a code.
            segments: of the collection.
            taxonomy: the version that filters go by.
            numbers: int32[labels], the number of each of its labels; its index by default.
            centres: uint8[n, ceil(bits/8)], a hasher's class codes, where the index starts from.

        Raises:
            TaxohashError: bits that an index cannot have, or numbers that do not fit the taxonomy.
        """
        if segments < 1:
            raise TaxohashError(f"segments is {segments}: a collection has one or more")
        self.bits, self.segments = bits, segments
        self._centres = centres
        self._lock = threading.Lock()  # held while the replica is changed, and to look up ids
        self._packed = Packed()
        self._held = [0] * segments  # rows known of each segment
        self._missing = set(range(segments))  # not loaded yet
        self._codes: Codes = np.zeros((0, -(-bits // 8)), np.uint8)  # of all rows, until then
        index = HammingIndex.build(self._codes, bits)
        self._prepared = Prepared(Ranks(taxonomy, numbers), self._filter_bytes)
        self._state = self._new_state(index, 0)

    def load(self, columns: Iterable[Columns]) -> None:
        """Take all pages of one or more segments in place of what these had.

        Raises:
            TaxohashError: see `write`.
        """
        pages = list(columns)
        self.write(pages, reset={page.segment for page in pages})

    def apply(self, columns: Columns) -> None:
        """Take rows that have changed; those from `columns.total` on are gone. Applied twice changes nothing.

        Raises:
            TaxohashError: see `write`.
        """
        self.write([columns])

    def write(self, columns: Sequence[Columns], reset: Collection[int] = ()) -> None:
        """Take columns in their order, as one change: a reader sees all of it or nothing.

        Args:
            reset: segments of which every row that is not named here is gone: they are loaded, or loaded anew.

        Raises:
            TaxohashError: columns that do not fit each other or this replica; nothing is changed then.
        """
        with self._lock:
            changes = collect(columns, reset, self._held, self.bits)
            if not changes:
                return
            if not any(self._held):
                self._expect(changes)
            self._put(changes)
            for change in changes:
                self._held[change.segment] = change.total
            if self._missing:
                self._missing -= set(reset)
                if not self._missing:
                    self._open()
            if self._packed.is_wasteful():
                self._packed.pack()
                self._succeed(None, self._new_state(self._state.index, self._state.changes))

    def arrange(self) -> None:
        """Arrange codes for speed, best after a load. Takes seconds for ten millions; searches and changes go on."""
        self._state.index.compact()

    @property
    def is_loaded(self) -> bool:
        """Whether every segment was loaded once."""
        return not self._missing

    def view(self) -> View:
        """The replica as it is now, for what must be of one moment."""
        state = self._state
        moment = state.index.moment()  # not before that state, perhaps after it: the writer may be just there
        while state.changes < moment.changes and state.after is not None:
            state = state.after[1]
        return View(state, moment, self._prepared)

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
        """The nearest items: see `View.search`."""
        return self.view().search(codes, k, radius, within, tags, where, threads, weights, most)

    def located(self, item_id: str) -> tuple[View, int]:
        """The replica as it is now, and the row in which it has an item; -1 where it is no member."""
        while True:
            row = int(self.rows_of([item_id])[0])
            view = self.view()
            if row < 0 or view.ids_of(np.array([row])) == [item_id]:
                return view, row  # else it was changed in between

    def ids_of(self, rows: Rows) -> list[str]:
        """The id of the member in each row; empty where there is none."""
        return self.view().ids_of(rows)

    def labels_of(self, rows: Rows) -> ItemLabels:
        """The label numbers of the member in each row."""
        return self.view().labels_of(rows)

    def rows_of(self, ids: Sequence[str]) -> Rows:
        """int64[n]: the row of each member, -1 for what is none. Waits for a change under way."""
        return self._look_up(ids)[0]

    def searchable(self, ids: Sequence[str]) -> Flags:
        """bool[n]: which are members that can be found."""
        return searchable(self._look_up(ids)[1])

    def lacking(self, ids: Sequence[str]) -> Flags:
        """bool[n]: which are members whose code is not there."""
        return lacking(self._look_up(ids)[1])

    def __len__(self) -> int:
        """Items that can be found."""
        return len(self.view())

    @property
    def uncoded(self) -> int:
        """Members whose code is not there."""
        return self._state.uncoded

    @property
    def nbytes(self) -> int:
        """Of everything that is kept."""
        return int(sum(self._sizes().values()))

    def stats(self) -> dict[str, Any]:
        """Items that can be found, members whose code is not there, members with labels that the taxonomy version does not know,
        rows with room, bytes in parts and an item, and what the index says of itself.
        """
        view, sizes = self.view(), self._sizes()
        total, items = sum(sizes.values()), len(view) + view.uncoded
        return {
            "items": len(view), "uncoded": view.uncoded, "unknown_labels": view.unknown_labels(),
            "rows": len(self._packed.arrays), "bytes": total, "bytes_per_item": total / max(items, 1),
            "parts": sizes, "index": self._state.index.stats(),
        }  # fmt: skip

    def _sizes(self) -> dict[str, int]:
        index = int(self._state.index.stats()["bytes"])
        return {**self._packed.sizes(), "index": index + self._codes.nbytes, "filters": self._prepared.nbytes}

    def _filter_bytes(self) -> int:
        return max(FILTER_BYTES[0], FILTER_BYTES[1] * len(self._packed.arrays))

    def _look_up(self, ids: Sequence[str]) -> tuple[Rows, States]:
        with self._lock:
            arrays = self._packed.arrays
            rows = self._packed.ids.find(ids, arrays)
            states = np.zeros(len(rows), np.uint8)
            states[rows >= 0] = arrays.cells.states[rows[rows >= 0]]
            return rows, states

    def _expect(self, changes: Sequence[Change]) -> None:
        """Ask for all the room that a collection will need, of whose segments these are some."""
        share = self.segments / max(len(changes), 1)
        rows = max((change.total for change in changes), default=0) * self.segments
        self._packed.reserve(rows, int(share * sum(len(change.ids) for change in changes)))
        members = sum(np.count_nonzero(change.states) for change in changes)
        self._packed.ids.reserve(int(share * members), self._packed.arrays)

    def _put(self, changes: Sequence[Change]) -> None:
        packed = self._packed
        staged = [packed.stage(change) for change in changes]
        old = [packed.before(change) for change in changes]
        state = self._new_state(self._state.index, self._state.changes + (not self._missing))
        undo = Undo([change.rows for change in changes], old)
        self._state.after = undo, state  # before anything of it can be seen
        for change, before, after in zip(changes, old, staged, strict=True):
            packed.commit(change, before, after)
        state.uncoded = packed.uncoded
        if self._missing:
            self._codes = longer(self._codes, len(packed.arrays))
            for change in changes:
                self._codes[change.places] = change.codes
        else:
            # What has changed is put even where its code has not: filters go by it, see taxohash.hamming.Following.
            rows, states = (
                np.concatenate(parts) for parts in zip(*((c.rows, c.states) for c in changes), strict=True)
            )
            now = searchable(states)
            gone = searchable(np.concatenate([cells.states for cells in old]))
            codes = np.concatenate([change.codes for change in changes])
            state.index.change(rows[now], codes[now], rows[gone & ~now])
        self._state = state

    def _open(self) -> None:
        """Let what was loaded be found."""
        self._packed.trim()
        rows = np.flatnonzero(searchable(self._packed.arrays.cells.states))
        codes = self._codes[: len(rows)] if len(rows) and rows[-1] == len(rows) - 1 else self._codes[rows]
        index = HammingIndex.build(codes, self.bits, self._centres, rows, arrange=False)
        self._codes = self._codes[:0].copy()
        self._succeed(None, self._new_state(index, 0))

    def _succeed(self, undo: Undo | None, state: State) -> None:
        self._state.after = undo, state
        self._state = state

    def _new_state(self, index: HammingIndex, changes: int) -> State:
        packed = self._packed
        return State(
            index, changes, packed.arrays, packed.label_sets, packed.tag_sets, packed.vocabulary,
            len(packed.label_sets), len(packed.tag_sets), packed.uncoded,
        )  # fmt: skip
