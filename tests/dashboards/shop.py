"""A shop whose pictures are hard enough that not all is found: dark things at first, light ones later."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.datasets.splits import CANARY
from taxohash.datasets.writer import Row, write_dataset
from tests.support import miniature

DARK, LIGHT = (0, 1, 2), (3, 4, 5)
# Pictures of each label.
SPLITS = {"train": 30, "test": 60, CANARY: 10}
_NOISE = 95.0


def picture(label: int, random: np.random.Generator) -> bytes:
    """A PNG of a class, noisy."""
    clear = np.asarray(Image.open(io.BytesIO(miniature.picture([label], random))), np.float64)
    noisy = (clear + random.normal(0, _NOISE, clear.shape)).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "PNG")
    return out.getvalue()


def asked(labels: Sequence[int], seed: int, count: int = 200) -> list[bytes]:
    """Pictures that customers search with, of which an item has none."""
    random = np.random.default_rng(seed)
    return [picture(labels[number % len(labels)], random) for number in range(count)]


def write(folder: Path, labels: Sequence[int]) -> Path:
    """A data version of pictures of these labels."""

    def rows(split: str, count: int) -> Iterator[Row]:
        for label in labels:
            random = np.random.default_rng([label, len(split)])
            for number in range(count):
                yield Row(picture(label, random), f"{split}/{label}-{number:03d}.png", label)

    write_dataset(
        folder, miniature.TAXONOMY, [(split, rows(split, count)) for split, count in SPLITS.items()]
    )
    return folder
