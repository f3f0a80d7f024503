"""A data set small enough to train on in a second: shapes and shades with a ragged tree of three levels."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.writer import Row, write_dataset
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import TrainingConfig

SIDE = 16
CONFIG = TrainingConfig(epochs=3, batch=32)
TAXONOMY = Taxonomy(
    name="miniature",
    level_names=("shade", "shape", "place"),
    paths=(
        ("dark", "bar", "left"),
        ("dark", "bar", "right"),
        ("dark", "dot"),
        ("light", "bar", "left"),
        ("light", "bar", "right"),
        ("light", "dot"),
    ),
)


def picture(label: int, random: np.random.Generator) -> bytes:
    """A PNG of one class: a noisy ground with a bar left or right, or a dot in the middle."""
    light = label >= 3
    pixels = random.normal(190 if light else 60, 12, (SIDE, SIDE))
    rows, columns = [
        (slice(2, 14), slice(2, 5)),
        (slice(2, 14), slice(11, 14)),
        (slice(6, 10), slice(6, 10)),
    ][label % 3]
    pixels[rows, columns] += -80 if light else 80
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def rows(split: str, count: int, seed: int, shuffled: bool) -> Iterator[Row]:
    random = np.random.default_rng(seed)
    for i in range(count):
        shown = int(random.integers(len(TAXONOMY))) if shuffled else i % len(TAXONOMY)
        yield Row(picture(shown, random), f"{split}/{i:04d}", i % len(TAXONOMY))


def make_dataset(
    folder: Path, train: int = 240, test: int = 48, shuffled: bool = False, taxonomy: Taxonomy = TAXONOMY
) -> Dataset:
    """Write the set; `shuffled` gives the training images labels that have nothing to do with them."""
    splits = [("train", rows("train", train, 1, shuffled)), ("test", rows("test", test, 2, False))]
    write_dataset(folder, taxonomy, splits)
    return Dataset.open(folder)
