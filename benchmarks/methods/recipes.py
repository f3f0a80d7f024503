"""What all tables of methods have in common: how a data set is used, code lengths, seeds."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.places import data_set
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

BITS = (16, 32, 48, 64)
SEARCHED = 32  # bits at which options are chosen
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Recipe:
    """How a data set is used: its protocol, the training, and where the held-out queries come from."""

    protocol: str
    epochs: int
    batch: int
    held_out: str | int


RECIPES = {
    "cifar100": Recipe("hpdh-cifar100", 6, 250, 5000),
    "grocery": Recipe("hpdh-nabirds", 20, 100, "val"),
}


def set_name(folder: Path) -> str:
    """Under which name a data set folder has a recipe: that of its taxonomy, or else its own.

    Raises:
        TaxohashError: it is no data set, or has no recipe.
    """
    names = (Taxonomy.load(data_set(folder)).name, folder.resolve().name)
    for name in names:
        if name in RECIPES:
            return name
    raise TaxohashError(
        f"data set {folder} ({names[0]}) has no recipe: name the folder after one of {', '.join(RECIPES)} if it is that"
    )
