"""Data sets that can be prepared by name: one source of images a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from taxohash.datasets.dataset import Dataset
from taxohash.datasets.named import cifar100, fashion_mnist, image_tree
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import read
from taxohash.runtime.progress import announce

# A named set is one file with a function that writes the folder, from a source or from where it is published.
NAMED: dict[str, Callable[[Path, str | None], object]] = {
    "fashion-mnist": fashion_mnist.prepare,
    "cifar100": cifar100.prepare,
    "folder": image_tree.prepare,
}


def prepare(
    name: str,
    out: str | Path,
    source: str | None = None,
    *,
    tell: Callable[[str], None] = announce,
    **options: Any,
) -> Dataset:
    """Write a named data set into the new folder `out` and open it; of an image tree, say what became of it.

    Args:
        tell: gets what is said, a line at a time.
        options: of an image tree, see `image_tree.TreeOptions`.

    Raises:
        TaxohashError: no such name, `out` exists, the source cannot be had, or options that are not of this set.
    """
    if name not in NAMED:
        raise TaxohashError(f"no data set is named {name!r}: choose one of {', '.join(NAMED)}")
    if name == "folder":
        taken = image_tree.prepare(Path(out), source, read(image_tree.TreeOptions, options))
        for line in taken.lines:
            tell(line)
    elif options:
        raise TaxohashError(f"{', '.join(options)} is for an image tree ('folder'): leave it out for {name}")
    else:
        NAMED[name](Path(out), source)
    return Dataset.open(out)
