"""What goes into the code store and what comes out of it."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Position = tuple[int, ...]
"""Writes seen in each segment. A snapshot holds a write when no entry of it is below that write's."""


@dataclass(frozen=True)
class Item:
    """An entry of the catalog.

    Attributes:
        id: 1 to 200 characters without control characters.
        label: index into the paths of the collection's taxonomy.
        thumbnail: bytes of a small picture, at most 256 KiB, or empty.
        uri: where the picture is, or empty.
        tags: to filter by; each 1 to 64 characters.
        updated: Unix time of the last change in seconds, set by the store; what is put here is ignored.
    """

    id: str
    label: int
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
class Snapshot:
    """All items of a collection that have a code in one generation.

    The order (segment, then row) is the same in every snapshot of the same store: items keep their
    rows, so ties by row are stable.

    Attributes:
        ids: object[N] of str.
        labels: int32[N].
        codes: uint8[N, ceil(bits/8)].
        position: of each segment when it was read.
    """

    generation: GenerationRef
    ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint8]
    position: Position
