"""What goes into the code store and what comes out of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

Scalar = str | int | float | bool
State = Literal["building", "sealed", "published", "retired", "dropping"]


FINGERPRINTS = 63  # what six bits hold beside 0


def fingerprint(pixels: str) -> int:
    """What pictures are looked for by among all that have one code: 1 to FINGERPRINTS, of the hash of the pixels; 0 where there is none.

    The server-side functions make it of records, see lua/rows.lua.
    """
    return 1 + int(pixels[:2], 16) % FINGERPRINTS if pixels else 0


@dataclass(frozen=True)
class Item:
    """An entry of the catalogue.

    Attributes:
        id: 1 to 1,024 bytes of UTF-8, of any characters.
        labels: numbers of labels in the collection: one, several or none, each once.
        uri: where the picture is, or empty.
        picture, thumbnail: sha256 of the original and of a small one in the picture store, or empty.
        metadata: a few named values of the user's own.
        tags: to filter by; each 1 to 64 characters.
        pixels: hash of the picture's pixels, see `taxohash.images.pixel_hash`, or empty.
        origin: whether the API put it last, or a data set; set by the store, what is put here is ignored.
        updated: Unix time of the last change in seconds, likewise.
        revision: counts the changes of its picture, likewise; see `put_codes`.
    """

    id: str
    labels: tuple[int, ...] = ()
    uri: str = ""
    picture: str = ""
    thumbnail: str = ""
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    pixels: str = ""
    origin: Literal["api", "data"] = field(default="api", compare=False)
    updated: int = field(default=0, compare=False)
    revision: int = field(default=0, compare=False)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures that it names in the picture store."""
        return tuple(filter(None, (self.picture, self.thumbnail)))

    @property
    def looks(self) -> tuple[str, ...]:
        """All by which its picture is known again: of bytes and of pixels."""
        return (*self.pictures, *filter(None, (self.pixels,)))


@dataclass(frozen=True)
class Edit:
    """What is changed of an item; what is None stays as it is.

    Attributes:
        labels, tags: as of an `Item`.
    """

    id: str
    labels: tuple[int, ...] | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class HeldItem:
    """An item as one generation has it.

    Attributes:
        code: uint8[ceil(bits/8)], or uint8[0] where it is not there.
        is_pictured: a backfill may bring it: there is a picture somewhere, as far as the store knows.
    """

    item: Item
    code: npt.NDArray[np.uint8]
    is_pictured: bool


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
        state: building (taking items of its data version), sealed (complete and counted), published (served), retired (was
            published), dropping (its removal was begun).
        created: Unix time at which it was begun, in seconds.
        members: items it should have a code for.
        codes: those that have one.
        live: whether writes of the API reach it: it is not retired, or a roll-back or a lease keeps it.
        quarantined: of those without a code, how many have a picture that could not be encoded; as far as the last backfill knows.
    """

    ref: GenerationRef
    state: State
    created: int
    members: int
    codes: int
    live: bool
    quarantined: int = 0


@dataclass(frozen=True)
class Token:
    """What a write led to: the positions of the segments it touched. Whoever has reached them sees the write.

    Attributes:
        incarnation: first digits of the collection's; a token of a collection that was wiped is told, not waited for.
        positions: of segments.
    """

    incarnation: str
    positions: Mapping[int, int]

    def __str__(self) -> str:
        return self.incarnation + "".join(
            f".{segment}-{at}" for segment, at in sorted(self.positions.items())
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of `str`.

        Raises:
            TaxohashError: it is no token.
        """
        if not isinstance(text, str) or not re.fullmatch(
            r"[0-9a-f]{8}(\.[0-9]{1,4}-[0-9]{1,15}){0,4096}", text
        ):
            raise TaxohashError(f"{str(text)[:60]!r} is no token: give one that a write has answered")
        incarnation, *parts = text.split(".")
        return cls(incarnation, {int(part.split("-")[0]): int(part.split("-")[1]) for part in parts})

    def __or__(self, other: "Token") -> "Token":
        """What both writes led to."""
        later = {
            segment: max(self.positions.get(segment, 0), other.positions.get(segment, 0))
            for segment in self.positions.keys() | other.positions.keys()
        }
        return Token(self.incarnation, later)


@dataclass(frozen=True)
class Written:
    """The answer to a batch of writes.

    Attributes:
        token: what a reader must have reached to see it.
        results: a word for each item, in order.
    """

    token: Token
    results: tuple[str, ...]

    def count(self, result: str) -> int:
        """How many items have this result."""
        return self.results.count(result)


@dataclass(frozen=True)
class Lacking:
    """An item whose code a generation lacks, and what the code must be made of."""

    id: str
    revision: int
    uri: str
    picture: str


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

    @classmethod
    def joined(cls, parts: Sequence["ItemLabels"]) -> Self:
        """The items of all parts, one part after the other."""
        flat = np.concatenate([np.empty(0, np.int32), *(part.flat for part in parts)])
        counts = np.concatenate([np.empty(0, np.int64), *(np.diff(part.offsets) for part in parts)])
        return cls.of(flat.astype(np.int32, copy=False), counts)

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

    def taken(self, items: npt.NDArray[np.integer]) -> "ItemLabels":
        """The labels of these items, in this order."""
        counts = np.diff(self.offsets)[items]
        made = ItemLabels.of(np.empty(0, np.int32), counts)
        shifts = np.repeat(self.offsets[:-1][items] - made.offsets[:-1], counts)
        return ItemLabels(self.flat[shifts + np.arange(len(shifts))], made.offsets)


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
        coded: bool[n]: and its code is there. A member without one is being encoded, or cannot be.
        ids: UTF-8 of each id, ended by the byte 0xff; nothing but the end for a free row.
        labels: numbers, of each row.
        codes: uint8[n, width].
        tags: of the rows that have any, by their index in 0..n-1.
        fingerprints: uint8[n], see `fingerprint`, of each row's picture; 0 where the store has no hash of its pixels.
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
    fingerprints: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Changes:
    """What was written in a segment since a position.

    Attributes:
        columns: all rows written since, as they are now.
        until: up to this write; where it is below the position of `columns`, there is more.
        age: seconds since the first write that was not read before, by the server's clock; 0 where there is none.
    """

    columns: Columns
    until: int
    age: float


@dataclass(frozen=True)
class Pointer:
    """What is published.

    Attributes:
        generation: None where nothing is.
        positions: of each segment at the publish: who follows has the generation whole once it has reached them.
    """

    incarnation: str
    generation: GenerationRef | None
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All items of a collection that have a code in one generation, in the order of their rows over all segments.

    Attributes:
        ids: object[N] of str.
        labels: numbers, of each item.
        codes: uint8[N, ceil(bits/8)].
        position: of each segment when it was read.
    """

    generation: GenerationRef
    ids: npt.NDArray[np.object_]
    labels: ItemLabels
    codes: npt.NDArray[np.uint8]
    position: tuple[int, ...]
