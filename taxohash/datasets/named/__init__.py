"""Data sets that can be prepared by name: one source of images a file."""

from collections.abc import Callable
from pathlib import Path

from taxohash.datasets.dataset import Dataset
from taxohash.datasets.named import cifar100, fashion_mnist, image_tree
from taxohash.errors import TaxohashError

# A named set is one file with a function that writes the folder, from a source or from where it is published.
NAMED: dict[str, Callable[[Path, str | None], object]] = {
    "fashion-mnist": fashion_mnist.prepare,
    "cifar100": cifar100.prepare,
    "folder": image_tree.prepare,
}


def prepare(name: str, out: str | Path, source: str | None = None) -> Dataset:
    """Write a named data set into the new folder `out` and open it.

    Raises:
        TaxohashError: no such name, `out` exists, or the source cannot be had.
    """
    if name not in NAMED:
        raise TaxohashError(f"no data set is named {name!r}: choose one of {', '.join(NAMED)}")
    NAMED[name](Path(out), source)
    return Dataset.open(out)
