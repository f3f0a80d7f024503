"""Tiny generations to be compared: items with pictures of their own, each encoded by a random projection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.runtime.atomic import write_json
from taxohash.taxonomy import Taxonomy
from tests.support.generations import BITS, TAXONOMY, make_generation, pictures

# Pictures of items by their ids.
PICTURES = dict(zip((f"item <b>{number}" for number in range(60)), pictures(60, seed=7), strict=True))


def labels_of(item: str, labels: int = len(TAXONOMY)) -> list[int]:
    """Those of an item: one, for some two, for some none."""
    number = int(item.removeprefix("item <b>"))
    return [] if number % 11 == 10 else sorted({number % labels, *([0] if number % 5 == 4 else [])})


def generation(
    folder: Path,
    seed: int = 0,
    items: Mapping[str, bytes] | Sequence[str] = PICTURES,
    bits: int = BITS,
    taxonomy: Taxonomy = TAXONOMY,
) -> Hasher:
    """A generation of some items in their order, below `folder`.

    Args:
        seed: of another hasher.
        taxonomy: of as many labels as there are of TAXONOMY at least.
    """
    draft = folder / "draft"
    made = make_generation(draft, seed, bits)
    codes = Hasher(draft).encode([PICTURES[item] for item in items])
    np.save(draft / CODES, codes, allow_pickle=False)
    write_json(draft / ITEMS, {"ids": list(items), "labels": [labels_of(item) for item in items]})
    taxonomy.save(draft / "taxonomy.json")
    database = [{"split": "train", "rows": len(codes)}]
    written = replace(made, database=database, taxonomy_sha256=taxonomy.sha256).write(draft)
    place = folder / written.id
    draft.rename(place)
    return Hasher(place)
