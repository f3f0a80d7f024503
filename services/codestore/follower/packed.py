"""The arrays of a replica as the one thread that writes them sees them."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import (
    MEMBER,
    Arrays,
    Cells,
    Rows,
    Unsigned,
    lacking,
    longer,
    narrowest,
    with_room,
)
from services.codestore.follower.change import Change
from services.codestore.follower.ids import Ids
from services.codestore.follower.kernels import ids as kernels
from services.codestore.follower.sets import Sets

_FEWEST_WASTED = 1 << 16  # bytes of ids that are no longer, up to which nothing is done


class Vocabulary:
    """The tags that items have, and the number of each."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []  # by their numbers
        self.held = np.zeros(16, np.int64)  # items that have each

    def number(self, tag: str) -> int:
        """The number of a tag; a new one gets the next."""
        number = self.numbers.setdefault(tag, len(self.numbers))
        if number == len(self.names):
            self.names.append(tag)
        if number == len(self.held):
            self.held = longer(self.held, 2 * number)
        return number

    def known(self, tag: str) -> int | None:
        """The number of a tag that some item has."""
        number = self.numbers.get(tag)
        return None if number is None or self.held[number] == 0 else number

    def packed(self) -> "tuple[Vocabulary, npt.NDArray[np.int32]]":
        """The tags in use with new numbers, and int32[tags] from old numbers to new ones."""
        made, numbers = Vocabulary(), np.zeros(len(self.numbers), np.int32)
        for tag, number in self.numbers.items():
            if self.held[number]:
                numbers[number] = made.number(tag)
                made.held[numbers[number]] = self.held[number]
        return made, numbers


class Packed:
    """Arrays to write in two steps: `stage` only adds where no one looks yet, `commit` overwrites rows.

    Attributes:
        arrays: as they are now. What `stage` has to make longer or wider is replaced by a copy, never changed in size.
        label_sets, tag_sets: what the numbers in the arrays mean.
        uncoded: members whose code is not there.
    """

    def __init__(self) -> None:
        cells = Cells(np.zeros(0, np.uint32), *(np.zeros(0, np.uint8) for _ in range(3)))
        self.arrays = Arrays(cells, np.full(1, kernels.END))
        self.ids, self.label_sets, self.tag_sets, self.vocabulary = Ids(), Sets(), Sets(), Vocabulary()
        self.uncoded = 0
        self._used = 1  # bytes of the arena; the first is the end of no id
        self._wasted = 0  # of them, bytes of ids that no row has any more

    def reserve(self, rows: int, arena: int) -> None:
        """Make room for so many rows, and so many bytes of ids more."""
        cells, room = self.arrays.cells, self.arrays.arena
        if rows > len(self.arrays):
            cells = Cells(*(longer(column, with_room(rows)) for column in cells))
        if self._used + arena > len(room):
            size = with_room(self._used + arena)
            room = np.empty(size, np.uint8)
            room[: self._used] = self.arrays.arena[: self._used]
            if size >= 2**32 and cells.offsets.itemsize == 4:
                cells = cells._replace(offsets=cells.offsets.astype(np.uint64))
        self.arrays = Arrays(cells, room)

    def stage(self, change: Change) -> Cells:
        """What to put into the cells of the change's rows. Nothing that can be seen has changed then."""
        self.reserve(int(change.rows.max(initial=-1)) + 1, len(change.ids))
        numbers = self.label_sets.intern(change.labels, change.label_starts, change.label_stops)
        tags = self._tag_sets_of(change)
        self._widen(len(self.label_sets) - 1, len(self.tag_sets) - 1)
        cells, wanted = self.arrays.cells, change.states & MEMBER != 0
        offsets = np.empty(len(change.rows), cells.offsets.dtype)
        self._used = kernels.append(
            self.arrays.arena, self._used, change.ids, change.id_starts, wanted, cells.offsets[change.places], offsets
        )  # fmt: skip
        cells = self.arrays.cells
        return Cells(
            offsets, numbers.astype(cells.labels.dtype), tags.astype(cells.tags.dtype), change.states
        )

    def before(self, change: Change) -> Cells:
        """What is in the cells of the change's rows."""
        return self.arrays.cells.of(change.places)

    def commit(self, change: Change, old: Cells, new: Cells) -> None:
        """Put `new`, which was staged, into the cells of the change's rows in place of `old`."""
        moved = np.flatnonzero(old.offsets != new.offsets)
        rows, left, taken = change.rows[moved], old.offsets[moved], new.offsets[moved]
        self._wasted += kernels.size_of(self.arrays.arena, left)
        self.ids.remove(rows, left, self.arrays)
        self.arrays.cells.put(change.places, new)
        self.ids.reserve(int(np.count_nonzero(taken)), self.arrays)
        self.ids.insert(rows, taken, self.arrays)
        self.label_sets.hold(new.labels, old.labels)
        self._hold_tags(new.tags, old.tags)
        self.uncoded += int(np.count_nonzero(lacking(new.states))) - int(
            np.count_nonzero(lacking(old.states))
        )

    def is_wasteful(self) -> bool:
        """Whether a quarter of the ids' bytes, or of the sets, are of no row any more."""
        ids = self._wasted > max(_FEWEST_WASTED, self._used // 4)
        return ids or self.label_sets.is_wasteful() or self.tag_sets.is_wasteful()

    def pack(self) -> None:
        """Leave behind what is of no row any more: new arrays, in which numbers and offsets mean other things.

        The table of ids stays as it is: it knows rows, and hashes of what the ids are.
        """
        cells, arena = self.arrays.cells, self.arrays.arena
        live = self._used - self._wasted
        packed, offsets = np.empty(with_room(live), np.uint8), np.empty_like(cells.offsets)
        self._used, self._wasted = kernels.pack(arena, cells.offsets, packed, offsets), 0
        self.label_sets, labels = self.label_sets.packed()
        self.vocabulary, numbers = self.vocabulary.packed()
        self.tag_sets, tags = self.tag_sets.packed(numbers)
        self.arrays = Arrays(
            Cells(
                offsets,
                labels.astype(narrowest(len(self.label_sets) - 1))[cells.labels],
                tags.astype(narrowest(len(self.tag_sets) - 1))[cells.tags],
                cells.states.copy(),
            ),
            packed,
        )

    def trim(self) -> None:
        """Give back room that was asked for and is not used."""
        if len(self.arrays.arena) > 1.1 * self._used:
            self.arrays = replace(self.arrays, arena=self.arrays.arena[: with_room(self._used)].copy())

    def sizes(self) -> dict[str, int]:
        """Bytes by what they are for."""
        cells = self.arrays.cells
        return {
            "ids": self.arrays.arena.nbytes, "offsets": cells.offsets.nbytes, "table": self.ids.nbytes,
            "labels": cells.labels.nbytes + self.label_sets.nbytes, "tags": cells.tags.nbytes + self.tag_sets.nbytes,
            "states": cells.states.nbytes,
        }  # fmt: skip

    def _widen(self, labels: int, tags: int) -> None:
        cells = self.arrays.cells
        wide: dict[str, npt.NDArray[Any]] = {}
        for name, greatest in (("labels", labels), ("tags", tags)):
            column: Unsigned = getattr(cells, name)
            if greatest > np.iinfo(column.dtype).max:
                wide[name] = column.astype(narrowest(greatest))
        if wide:
            self.arrays = replace(self.arrays, cells=cells._replace(**wide))

    def _tag_sets_of(self, change: Change) -> Rows:
        numbers = np.zeros(len(change.rows), np.int64)
        if change.tags:
            members = [[self.vocabulary.number(tag) for tag in tags] for tags in change.tags.values()]
            stops = np.cumsum([len(tags) for tags in members])
            flat = np.array([number for tags in members for number in tags], np.int32)
            starts = np.append(0, stops[:-1])
            numbers[list(change.tags)] = self.tag_sets.intern(flat, starts, stops)
        return numbers

    def _hold_tags(self, new: Unsigned, old: Unsigned) -> None:
        if new.any() or old.any():
            self.tag_sets.hold(new, old)
            held = self.vocabulary.held
            np.add.at(held, self.tag_sets.members(new).flat, 1)
            np.subtract.at(held, self.tag_sets.members(old).flat, 1)
