"""Recall of canaries: do pictures that nobody can find have their class among the nearest items of a catalogue?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes

if TYPE_CHECKING:
    from taxohash.generation.hasher import Hasher  # slow to import: pipelines read the policy alone

NEAREST = 10  # items among which a canary looks for its class
Path = tuple[str, ...]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What can be found in a generation.

    Attributes:
        ids: of N items.
        labels: of each item, as indices into `paths`.
        paths: of the labels, from coarse to fine.
        codes: uint8[N, ceil(bits/8)].
        health: of its bits, as a manifest has it; its "entropy" is read.
    """

    ids: Sequence[str]
    labels: Sequence[Sequence[int]]
    paths: Sequence[Sequence[str]]
    codes: Codes
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CanaryCodes:
    """What a hasher makes of canaries: pictures that are in no catalogue.

    Attributes:
        codes: uint8[Q, ceil(bits/8)].
        paths: of each, those of its labels.
        levels: names of the levels; those beyond them go by number.
    """

    codes: Codes
    paths: Sequence[frozenset[Path]]
    levels: Sequence[str] = ()

    @property
    def depth(self) -> int:
        """Levels of the deepest of their paths."""
        return max((len(path) for paths in self.paths for path in paths), default=0)


def canary_codes(hasher: "Hasher") -> CanaryCodes | None:
    """What the hasher of a generation makes of the canaries that travel with it; None where there are none.

    Raises:
        TaxohashError: their file is damaged, or a picture that cannot be read.
    """
    canaries, tree = hasher.canaries, hasher.taxonomy
    if canaries is None:
        return None
    paths = [frozenset(tree.paths[label] for label in own) for own in canaries.labels]
    return CanaryCodes(hasher.encode(canaries.pictures), paths, tree.level_names or ())


def recall(catalogue: Catalogue, canaries: CanaryCodes, bits: int, levels: int) -> Floats:
    """float64[Q, levels]: the chance of each canary to have its class on each level among its NEAREST items.

    Items at one distance are in no order, so a canary whose class is among those that only some fit in has the chance of
    drawing one of them (hypergeometric). A label ends where its path does: below, it is its own class.

    Args:
        levels: from the coarsest.
    """
    found = np.zeros((len(canaries.paths), levels))
    if not catalogue.ids:
        return found
    words = _words(catalogue.codes)
    flat, owners = _flat(catalogue.labels)
    for paths, members in _grouped(canaries.paths):
        relevant = np.zeros((levels, len(catalogue.ids)), np.bool_)
        for level in range(levels):
            wanted = {path[: level + 1] for path in paths}
            of_label = np.array([tuple(path)[: level + 1] in wanted for path in catalogue.paths], np.bool_)
            relevant[level, owners[of_label[flat]]] = True
        for member in members:
            distances = np.bitwise_count(words ^ _words(canaries.codes[member : member + 1])).sum(axis=1)
            totals = np.bincount(distances, minlength=bits + 1)
            hits = np.stack([np.bincount(distances[own], minlength=bits + 1) for own in relevant])
            found[member] = chances(totals, hits)
    return found


def level_names(canaries: CanaryCodes, levels: int) -> list[str]:
    """Of so many levels, from the coarsest; those that have no name go by number."""
    return [
        *canaries.levels[:levels],
        *(f"level {level + 1}" for level in range(len(canaries.levels), levels)),
    ]


def chances(totals: npt.NDArray[np.int64], hits: npt.NDArray[np.int64]) -> Floats:
    """float64[L]: of int64[B] items and int64[L, B] relevant ones at each distance, the chance that one is among the NEAREST."""
    most = min(NEAREST, int(totals.sum()))
    ends = totals.cumsum()
    last = int(np.searchsorted(ends, most))  # the block of which some fit in
    room, size = most - int(ends[last] - totals[last]), int(totals[last])
    sure = hits[:, :last].sum(axis=1) > 0
    drawn = np.arange(room)
    missed = np.clip(size - hits[:, last, None] - drawn, 0, None) / (size - drawn)
    found: Floats = np.where(sure, 1.0, 1.0 - missed.prod(axis=1))
    return found


def _flat(labels: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All labels int64[M] one item after the other, and the item int64[M] of each."""
    counts = np.array([len(own) for own in labels], np.int64)
    flat = np.fromiter((label for own in labels for label in own), np.int64, int(counts.sum()))
    return flat, np.repeat(np.arange(len(labels)), counts)


def _grouped(paths: Sequence[frozenset[Path]]) -> Iterator[tuple[frozenset[Path], list[int]]]:
    """Canaries of the same labels together: what is relevant to them is looked for once."""
    groups: dict[frozenset[Path], list[int]] = {}
    for number, own in enumerate(paths):
        groups.setdefault(own, []).append(number)
    yield from groups.items()


def _words(codes: Codes) -> npt.NDArray[np.uint64]:
    """uint64[N, ceil(B/8)]: packed codes uint8[N, B], eight bytes a word."""
    width = 8 * math.ceil(codes.shape[1] / 8)
    padded = np.zeros((len(codes), width), np.uint8)
    padded[:, : codes.shape[1]] = codes
    return padded.view(np.uint64)
