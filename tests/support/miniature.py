"""A data set small enough to train on in a second: shapes and shades with a ragged tree of three levels."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.layout import LabelColumn
from taxohash.datasets.writer import Row, write_dataset
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import HasherConfig, NetworkConfig, ObjectiveConfig, TrainingConfig

SIDE = 16
EPOCHS = 3
HASHER = HasherConfig(
    objective=ObjectiveConfig(name="shpdh"),
    bits=16,
    network=NetworkConfig(name="small-resnet"),
    training=TrainingConfig(epochs=EPOCHS, batch=32),
)
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


# The labels of images that have several: what can lie on one ground, nothing included.
SETS = tuple(
    [ground + place for place in range(3) if chosen >> place & 1] for chosen in range(8) for ground in (0, 3)
)


def picture(labels: Sequence[int], random: np.random.Generator) -> bytes:
    """A PNG of classes of one shade: a noisy ground with bars left and right and a dot in the middle, as told."""
    light = random.random() < 0.5 if not labels else labels[0] >= 3
    pixels = random.normal(190 if light else 60, 12, (SIDE, SIDE))
    places = [
        (slice(2, 14), slice(2, 5)),
        (slice(2, 14), slice(11, 14)),
        (slice(6, 10), slice(6, 10)),
    ]
    for label in labels:
        pixels[places[label % 3]] += -80 if light else 80
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def rows(split: str, count: int, seed: int, shuffled: bool, known: LabelColumn | None) -> Iterator[Row]:
    random = np.random.default_rng(seed)
    for i in range(count):
        own = SETS[i % len(SETS)] if known == "labels" else [i % len(TAXONOMY)]
        shown = [int(random.integers(len(TAXONOMY)))] if shuffled else own
        label = own if known == "labels" else own[0] if known else None
        yield Row(picture(shown, random), f"{split}/{i:04d}", label)


def make_dataset(
    folder: Path,
    train: int = 240,
    test: int = 48,
    shuffled: bool = False,
    taxonomy: Taxonomy = TAXONOMY,
    known: LabelColumn | None = "label",
    asked: LabelColumn | None = "label",
) -> Dataset:
    """Write the set.

    Args:
        shuffled: gives the training images labels that have nothing to do with them.
        known, asked: how training and test images are labelled.
    """
    splits = [
        ("train", rows("train", train, 1, shuffled, known)),
        ("test", rows("test", test, 2, False, asked)),
    ]
    write_dataset(folder, taxonomy, splits)
    return Dataset.open(folder)
