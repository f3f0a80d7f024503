"""What goes into the code store and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

Position = tuple[int, ...]
"""Writes seen in each segment. A snapshot holds a write when no entry of it is below that write's."""


@dataclass(frozen=True)
class Item:
    """An entry of the catalog.

    Attributes:
        id: 1 to 1,024 bytes of UTF-8, of any characters.
        labels: indices into the paths of the collection's taxonomy: one, several or none, each once.
        thumbnail: bytes of a small picture, at most 256 KiB, or empty.
        uri: where the picture is, or empty.
        tags: to filter by; each 1 to 64 characters.
        updated: Unix time of the last change in seconds, set by the store; what is put here is ignored.
    """

    id: str
    labels: tuple[int, ...]
    thumbnail: bytes = b""
    uri: str = ""
    tags: tuple[str, ...] = ()
    updated: int = field(default=0, compare=False)


@dataclass(frozen=True)
class GenerationRef:
    """What the store must know of a generation to refuse what does not belong to it."""

    id: str
    bits: int
    taxonomy_sha256: str


@dataclass(frozen=True)
class GenerationState:
    """A generation in a collection.

    Attributes:
        codes: number of items that have a code in it.
        state: published (served now), retired (was published, rollback can go back to it) or staged.
        created: Unix time at which it was begun, in seconds.
    """

    ref: GenerationRef
    codes: int
    state: Literal["staged", "published", "retired"]
    created: int


@dataclass(frozen=True, eq=False)
class ItemLabels:
    """The labels of N items: those of item i are flat[offsets[i]:offsets[i + 1]].

    Attributes:
        flat: int32[M].
        offsets: int64[N + 1].
    """

    flat: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, flat: npt.NDArray[np.int32], counts: npt.NDArray[np.integer]) -> Self:
        """From the labels of all items, one item after the other, and how many each has."""
        return cls(flat, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))

    def __len__(self) -> int:
        """Number of items."""
        return len(self.offsets) - 1

    def __getitem__(self, item: int) -> npt.NDArray[np.int32]:
        """int32[n]: the labels of one item."""
        return self.flat[self.offsets[item] : self.offsets[item + 1]]

    @cached_property
    def owners(self) -> npt.NDArray[np.int64]:
        """int64[M]: the item of each label in `flat`."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All items of a collection that have a code in one generation.

    The order (segment, then row) is the same in every snapshot of the same store: items keep their
    rows, so ties by row are stable.

    Attributes:
        ids: object[N] of str.
        labels: of each item.
        codes: uint8[N, ceil(bits/8)].
        position: of each segment when it was read.
    """

    generation: GenerationRef
    ids: npt.NDArray[np.object_]
    labels: ItemLabels
    codes: npt.NDArray[np.uint8]
    position: Position


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows of one segment as they were when they were read, in one generation; all aligned.

    Attributes:
        position: writes of the segment when it was read.
        stamp: Unix time in microseconds of the last of them: tells two histories apart.
        total: rows that the segment had then; those from here on are gone.
        rows: int64[n] in the segment, ascending.
        alive: bool[n]: an item has the row.
        member: bool[n]: it belongs to the generation.
        coded: bool[n]: and its code is there. A member without one is being encoded.
        ids: UTF-8 of each id, ended by the byte 0xff; nothing but the end for a free row.
        labels: numbers, of each row.
        codes: uint8[n, width].
        tags: of the rows that have any, by their index in 0..n-1.
    """

    segment: int
    position: int
    stamp: int
    total: int
    rows: npt.NDArray[np.int64]
    alive: npt.NDArray[np.bool_]
    member: npt.NDArray[np.bool_]
    coded: npt.NDArray[np.bool_]
    ids: bytes
    labels: ItemLabels
    codes: npt.NDArray[np.uint8]
    tags: Mapping[int, tuple[str, ...]]
