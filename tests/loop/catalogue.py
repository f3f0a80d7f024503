"""A shop's catalogue that changes: pictures of dark things; later of light ones too, and of things that lie; and once with wrong labels."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from taxohash.datasets.splits import CANARY
from taxohash.datasets.writer import Row, write_dataset
from tests.support.miniature import TAXONOMY, picture

Pixels = npt.NDArray[np.uint8]
# The conditions in which things are photographed; those of the first are as `miniature` makes them.
_VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "": lambda pixels: pixels,
    "lying": lambda pixels: np.rot90(pixels),
    "half in the sun": lambda pixels: _half_lit(pixels),
}


class Thing(NamedTuple):
    """What a picture shows: a class, and the condition in which it was photographed."""

    label: int
    view: str = ""

    @property
    def kind(self) -> str:
        """By the name of its shade and of its condition."""
        return f"{TAXONOMY.paths[self.label][0]} things {self.view}".strip()


class Query(NamedTuple):
    """A picture, and what it shows."""

    thing: Thing
    picture: bytes


DARK, LIGHT = (tuple(map(Thing, labels)) for labels in ((0, 1, 2), (3, 4, 5)))
LYING, SUNLIT = (tuple(Thing(known.label, view) for known in DARK) for view in ("lying", "half in the sun"))
# Pictures of each thing in the split `train`; a quarter as many are in `test`. Of dark things half is sold when light ones come.
FIRST = dict.fromkeys(DARK, 80)
SECOND = dict.fromkeys(DARK, 40) | dict.fromkeys(LIGHT, 80)
WIDER = SECOND | dict.fromkeys(LYING, 80)
SUNNY = WIDER | dict.fromkeys(SUNLIT, 80)


def asked(things: Sequence[Thing], seed: int, count: int) -> list[Query]:
    """What customers search with: so many pictures, of the things in turn."""
    random = np.random.default_rng(seed)
    return [Query(thing, _picture(thing, random)) for thing in islice(cycle(things), count)]


def canaries(things: Sequence[Thing], count: int) -> list[Query]:
    """So many canaries of each thing, the same in all versions."""
    return [Query(thing, data) for thing in things for data in _pictures(thing, CANARY, count)]


def write(folder: Path, stock: Mapping[Thing, int], mislabelled: bool = False, watched: int = 0) -> Path:
    """A data version with so many pictures of each thing. The first pictures of a thing are the same in all versions.

    Args:
        mislabelled: pictures are labelled at random.
        watched: canaries of each thing; without any there is no split of them.
    """
    wrong = np.random.default_rng(0) if mislabelled else None
    labels = [thing.label for thing in stock]

    def rows(split: str, counts: Mapping[Thing, int]) -> Iterator[Row]:
        for thing, count in counts.items():
            for number, data in enumerate(_pictures(thing, split, count)):
                said = int(wrong.choice(labels)) if wrong else thing.label
                yield Row(data, f"{split}/{thing.label}{thing.view}-{number:03d}.png", said)

    splits = {"train": stock, "test": {thing: count // 4 for thing, count in stock.items()}}
    if watched:
        splits[CANARY] = dict.fromkeys(stock, watched)
    write_dataset(folder, TAXONOMY, [(split, rows(split, counts)) for split, counts in splits.items()])
    return folder


def _pictures(thing: Thing, split: str, count: int) -> Iterator[bytes]:
    view = [*_VIEWS].index(thing.view)
    random = np.random.default_rng([thing.label, len(split), *([view] if view else [])])
    return (_picture(thing, random) for _ in range(count))


def _picture(thing: Thing, random: np.random.Generator) -> bytes:
    data = picture([thing.label], random)
    if not thing.view:
        return data
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as known:
        Image.fromarray(_VIEWS[thing.view](np.asarray(known))).save(out, "PNG")
    return out.getvalue()


def _half_lit(pixels: Pixels) -> Pixels:
    lit = pixels.astype(np.int64)
    lit[: len(lit) // 2] += 130
    return lit.clip(0, 255).astype(np.uint8)
