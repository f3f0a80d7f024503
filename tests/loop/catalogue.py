"""A shop's catalogue that changes: pictures of dark things, later of light ones too; and once with wrong labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from taxohash.datasets.writer import Row, write_dataset
from tests.support.miniature import TAXONOMY, picture

DARK, LIGHT = (0, 1, 2), (3, 4, 5)
EVERYTHING = DARK + LIGHT
# Pictures of each label in the split `train`; a quarter as many are in `test`. Of dark things half is sold when light ones come.
FIRST = dict.fromkeys(DARK, 80)
SECOND = dict.fromkeys(DARK, 40) | dict.fromkeys(LIGHT, 80)


def asked(labels: Sequence[int], seed: int, count: int = 30) -> list[bytes]:
    """Pictures that customers search with."""
    random = np.random.default_rng(seed)
    return [picture([labels[number % len(labels)]], random) for number in range(count)]


def write(folder: Path, stock: Mapping[int, int], mislabelled: bool = False) -> Path:
    """A data version with so many pictures of each label. The first pictures of a label are the same in all versions.

    Args:
        mislabelled: pictures are labelled at random.
    """
    wrong = np.random.default_rng(0) if mislabelled else None

    def rows(split: str, share: float) -> Iterator[Row]:
        for label, count in stock.items():
            random = np.random.default_rng([label, len(split)])
            for number in range(int(share * count)):
                said = int(wrong.choice(list(stock))) if wrong else label
                yield Row(picture([label], random), f"{split}/{label}-{number:03d}.png", said)

    write_dataset(folder, TAXONOMY, [("train", rows("train", 1.0)), ("test", rows("test", 0.25))])
    return folder
