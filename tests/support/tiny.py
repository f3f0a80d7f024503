"""A tiny data set whose every part a test can spoil."""

from pathlib import Path

import numpy as np

from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.taxonomy import Taxonomy

TAXONOMY = Taxonomy(
    "tiny", (("animal", "cat"), ("animal", "dog"), ("plant", "tree", "oak")), source="here", licence="ours"
)
COUNTS = {"train": 30, "test": 6}


def tiny_rows(split: str) -> list[Row]:
    generator = np.random.default_rng(len(split))
    images = generator.integers(0, 256, (COUNTS[split], 5, 7), np.uint8)
    return [Row(encode_png(image), f"{split}/{row}.png", row % 3) for row, image in enumerate(images)]


def make_tiny(folder: Path) -> Path:
    write_dataset(folder, TAXONOMY, ((split, tiny_rows(split)) for split in COUNTS))
    return folder
