"""Sets of small numbers, such as the labels of an item: each different one is kept once, rows hold its number."""

import secrets

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Rows, Unsigned
from services.codestore.follower.kernels import sets as kernels
from services.codestore.follower.kernels.ids import FREE
from services.codestore.records import ItemLabels

Flags = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
EMPTY = 0
"""The number of the empty set."""


class Sets:
    """Numbered sets, in the order of their members. Sets are added by one thread; what is numbered never changes."""

    def __init__(self) -> None:
        self._seed = np.uint64(secrets.randbits(64))
        self._ends = np.zeros(64, np.int64)
        self._flat = np.zeros(64, np.int32)
        self._slots = np.full(64, FREE)
        self._held = np.zeros(64, np.int64)  # rows that have each set
        self._count = 0
        self._looked = 0  # sets there were when it was last asked how many are in use
        self.intern(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(1, np.int64))

    def __len__(self) -> int:
        """Sets that have a number."""
        return self._count

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._ends, self._flat, self._slots, self._held))

    def intern(self, flat: Int32, starts: Rows, stops: Rows) -> Rows:
        """The numbers of the sets flat[starts[i]:stops[i]], int64[n]; new ones are added."""
        numbers, done = np.empty(len(starts), np.int64), 0
        while True:
            self._count, done = kernels.intern(
                self._slots, self._seed, self._flat, self._ends, self._count, flat, starts, stops, done, numbers
            )  # fmt: skip
            if done == len(starts):
                return numbers
            self._grow(int(stops[done] - starts[done]))

    def members(self, numbers: Unsigned | Rows) -> ItemLabels:
        """The members of sets."""
        ends, flat = self._ends, self._flat  # in this order: whatever ends where it says is in the other
        offsets = np.empty(len(numbers) + 1, np.int64)
        return ItemLabels(kernels.gather(flat, ends, numbers, offsets), offsets)

    def any_between(self, numbers: Unsigned, count: int, ranks: Int32, low: int, high: int) -> Flags:
        """Which of the sets, of those before `count`, have a member whose rank is from `low` to `high` - 1."""
        ends, flat = self._ends, self._flat
        found: Flags = kernels.any_between(flat, ends, count, numbers, ranks, low, high)
        return found

    def any_equal(self, numbers: Unsigned, count: int, wanted: int) -> Flags:
        """Which of the sets, of those before `count`, have the member `wanted`."""
        ends, flat = self._ends, self._flat
        found: Flags = kernels.any_equal(flat, ends, count, numbers, wanted)
        return found

    def hold(self, more: Unsigned | Rows, less: Unsigned | Rows) -> None:
        """Count rows that have these sets from now on, and rows that had these."""
        kernels.count(self._held, more, 1)
        kernels.count(self._held, less, -1)

    @property
    def held(self) -> Rows:
        """int64[sets]: rows that have each set."""
        return self._held[: self._count]

    def is_wasteful(self) -> bool:
        """Whether a quarter of the sets are of no row any more. Looked at whenever a quarter more have come."""
        if self._count < self._looked + self._looked // 4 + 64:
            return False
        self._looked = self._count
        return 4 * int(np.count_nonzero(self.held == 0)) > self._count

    def packed(self, renamed: Int32 | None = None) -> "tuple[Sets, Rows]":
        """The sets in use with new numbers, and int64[sets] from old numbers to new ones.

        Args:
            renamed: what each member is called now.
        """
        used = np.flatnonzero(self.held)
        members = self.members(used)
        flat = members.flat if renamed is None else renamed[members.flat]
        made, numbers = Sets(), np.zeros(self._count, np.int64)
        numbers[used] = made.intern(flat, members.offsets[:-1], members.offsets[1:])
        made._held[numbers[used]] = self.held[used]
        made._looked = len(made)
        return made, numbers

    def _grow(self, size: int) -> None:
        """Room for more sets, one of `size` members among them."""
        count, used = self._count, self._ends[self._count]
        flat = np.zeros(max(len(self._flat), 2 * (int(used) + size)), np.int32)
        flat[:used] = self._flat[:used]
        ends, held = np.zeros(2 * len(self._ends), np.int64), np.zeros(2 * len(self._ends), np.int64)
        ends[: count + 1], held[:count] = self._ends[: count + 1], self._held[:count]
        self._flat, self._ends, self._held = flat, ends, held  # in this order, see `members`
        self._slots = np.full(2 * len(self._ends), FREE)
        kernels.enter(self._slots, self._seed, flat, ends, count)
