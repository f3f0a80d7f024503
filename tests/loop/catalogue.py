"""A shop's catalogue that grows: pictures of dark things, later of light ones too; and once with wrong labels."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from taxohash.datasets.writer import Row, write_dataset
from tests.support.miniature import TAXONOMY, picture

DARK, LIGHT = (0, 1, 2), (3, 4, 5)
EVERYTHING = DARK + LIGHT
TRAIN, TEST = 240, 60  # pictures of each kind of ground


def asked(labels: Sequence[int], seed: int, count: int = 30) -> list[bytes]:
    """Pictures that customers search with."""
    random = np.random.default_rng(seed)
    return [picture([labels[number % len(labels)]], random) for number in range(count)]


def write(folder: Path, labels: Sequence[int], mislabelled: bool = False) -> Path:
    """A data version with pictures of these labels. Pictures of a label are the same in all versions.

    Args:
        mislabelled: pictures are labelled at random.
    """
    wrong = np.random.default_rng(0) if mislabelled else None

    def rows(split: str, count: int) -> Iterator[Row]:
        for label in labels:
            random = np.random.default_rng([label, len(split)])
            for number in range(count // len(DARK)):
                said = int(wrong.choice(labels)) if wrong else label
                yield Row(picture([label], random), f"{split}/{label}-{number:03d}.png", said)

    write_dataset(folder, TAXONOMY, [("train", rows("train", TRAIN)), ("test", rows("test", TEST))])
    return folder
