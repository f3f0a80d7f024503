"""A tiny generation with codes and items of its own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from taxohash.generation.hasher import CODES, ITEMS
from tests.support.generations import BITS, make_generation

COUNT = 25
LABELS = [[row % 5, *([5] if row % 3 == 0 else [])] if row % 7 else [] for row in range(COUNT)]


def with_codes(folder: Path, seed: int = 0) -> Path:
    """A generation with codes and items, in `folder`."""
    generation = make_generation(folder, seed)
    random = np.random.default_rng(seed)
    np.save(folder / CODES, np.packbits(random.random((COUNT, BITS)) < 0.5, axis=1))
    (folder / ITEMS).write_text(
        json.dumps({"ids": [f"item ü {row}" for row in range(COUNT)], "labels": LABELS})
    )
    replace(generation, database=[{"split": "train", "rows": COUNT}]).write(folder)
    return folder
