"""What is known of every row, as arrays: one column a thing, and the bytes of the ids."""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

# Bits of a row's state. Above them is the fingerprint of its picture, at most records.FINGERPRINTS.
MEMBER, CODED = np.uint8(1), np.uint8(2)
SEARCHABLE = MEMBER | CODED
_FINGERPRINT = np.uint8(2)  # the bit from which on

Unsigned = npt.NDArray[np.unsignedinteger[Any]]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
States = npt.NDArray[np.uint8]
T = TypeVar("T", bound=np.generic)


class Cells(NamedTuple):
    """Columns, whole or of some rows.

    Attributes:
        offsets: where each id begins in the arena; 0 for none.
        labels: numbers of label sets.
        tags: numbers of tag sets.
        states: uint8, MEMBER and CODED and fingerprints, see `states_of`.
    """

    offsets: Unsigned
    labels: Unsigned
    tags: Unsigned
    states: States

    def of(self, rows: Rows | slice) -> "Cells":
        """Of these rows: copies."""
        return Cells(*(column[rows].copy() if isinstance(rows, slice) else column[rows] for column in self))

    def put(self, rows: Rows | slice, cells: "Cells") -> None:
        """Overwrite these rows."""
        for column, new in zip(self, cells, strict=True):
            column[rows] = new


@dataclass(frozen=True, eq=False)
class Arrays:
    """The columns and the arena, each with some room at its end; columns as narrow as what they hold."""

    cells: Cells
    arena: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Rows that there is room for."""
        return len(self.cells.states)


def states_of(member: Flags, coded: Flags, fingerprints: States) -> States:
    """uint8[n]: of which a row that is no member has none of its own."""
    return member.astype(np.uint8) * (MEMBER | CODED * coded | fingerprints << _FINGERPRINT)


def searchable(states: States) -> Flags:
    """bool[n]: members whose code is there."""
    found: Flags = states & SEARCHABLE == SEARCHABLE
    return found


def lacking(states: States) -> Flags:
    """bool[n]: members whose code is not there."""
    found: Flags = states & SEARCHABLE == MEMBER
    return found


def fingerprints(states: States) -> States:
    """uint8[n]: the fingerprint of each row's picture, 0 for none."""
    found: States = states >> _FINGERPRINT
    return found


def narrowest(greatest: int) -> np.dtype[Any]:
    """The smallest unsigned type of 8, 16, 32 or 64 bits that holds `greatest`."""
    return np.min_scalar_type(greatest)


def longer(array: npt.NDArray[T], size: int) -> npt.NDArray[T]:
    """The array, or a longer copy of `size` entries: zero behind those there are."""
    if len(array) >= size:
        return array
    made = np.zeros((size, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


def with_room(size: int) -> int:
    """Entries to ask for where `size` are needed: a 32nd more, so that not every change copies all."""
    return size + size // 32 + 64
