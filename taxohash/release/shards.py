"""Codes of some splits of a data set in shards, so that several processes encode it together and each goes on by itself."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taxohash.codes import Codes, check, code_bytes
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Model
from taxohash.images import Preprocessing
from taxohash.runtime.atomic import replacing
from taxohash.runtime.progress import bars

MOST = 10_000
_BLOCK = 2000  # images in memory at once


@dataclass(frozen=True)
class Shard:
    """The part `number` (from 1) of `count` parts of as many rows each, give or take one.

    Raises:
        TaxohashError: no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST:
            raise TaxohashError(f"shard {self}: write it as 3/16, with at most {MOST:,} shards")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From a text such as 3/16.

        Raises:
            TaxohashError: it is no shard.
        """
        if not (found := re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)):
            raise TaxohashError(f"shard {text!r}: write it as 3/16")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, total: int) -> range:
        """Its rows of so many."""
        return range(total * (self.number - 1) // self.count, total * self.number // self.count)


WHOLE = Shard(1, 1)


def encode(
    model: Model, preprocessing: Preprocessing, dataset: Dataset, splits: Sequence[str], shard: Shard = WHOLE
) -> Codes:
    """uint8[rows, ceil(bits/8)]: codes of a shard of the splits' images one after the other. Progress is shown.

    Raises:
        TaxohashError: an image that cannot be decoded; names its row.
    """
    rows = shard.rows(sum(dataset.count(split) for split in splits))
    parts: list[Codes] = [np.empty((0, code_bytes(model.bits)), np.uint8)]
    with bars() as progress:
        task = progress.add_task(f"encoding {', '.join(splits)}", total=len(rows), note="")
        for split, own in _by_split(dataset, splits, rows):
            for start in range(own.start, own.stop, _BLOCK):
                block = range(start, min(start + _BLOCK, own.stop))
                parts.append(
                    model.encode_pixels(dataset.pixels(split, preprocessing, rows=block, progress=False))
                )
                progress.update(task, advance=len(block))
    return np.concatenate(parts)


def save(codes: Codes, file: Path) -> None:
    """Write the codes of a shard, whole or not at all."""
    with replacing(file) as draft, draft.open("wb") as stream:
        np.save(stream, codes, allow_pickle=False)


def joined(files: Sequence[Path], total: int, bits: int) -> Codes:
    """uint8[total, ceil(bits/8)]: codes of all shards, in the order of the files.

    Raises:
        TaxohashError: a file that holds no codes, or one of too many or too few.
    """
    parts: list[Codes] = []
    for number, file in enumerate(files, start=1):
        rows = len(Shard(number, len(files)).rows(total))
        try:
            found = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise TaxohashError(f"{file} holds no codes: encode shard {number}/{len(files)} again") from None
        parts.append(np.array(check(found, bits, f"codes of {file}", rows)))
    return np.concatenate(parts)


def _by_split(dataset: Dataset, splits: Sequence[str], rows: range) -> Iterator[tuple[str, range]]:
    """The rows of each split among `rows` of all splits one after the other."""
    first = 0
    for split in splits:
        count = dataset.count(split)
        own = range(max(rows.start - first, 0), min(rows.stop - first, count))
        if own:
            yield split, own
        first += count
