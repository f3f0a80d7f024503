"""Pictures that generations are asked with: of a data set's split, canaries, files, or whatever a caller has; and those of items."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
import numpy.typing as npt

from taxohash.datasets import Dataset
from taxohash.datasets.splits import CANARY
from taxohash.errors import TaxohashError
from taxohash.generation.canaries import Canaries
from taxohash.generation.hasher import Hasher
from taxohash.release.compare import Path, Rows
from taxohash.taxonomy import Taxonomy

Ids = Mapping[str, Sequence[str]]  # of the images of each split
PicturesOf = Callable[
    [Iterable[str]], dict[str, bytes]
]  # the bytes of items by their ids, as far as they are known


@dataclass(frozen=True, eq=False)
class QuerySet:
    """N pictures; none of them is read before it is asked for.

    Attributes:
        name: for people.
        names: of the pictures.
        pictures: the bytes of the pictures in some rows, in their order; None for one that is not there any more.
        labels: label paths of each; None where they are not known.
        are_items: whether `names` are ids, by which a picture may be found itself: then it is no answer to itself.
        are_shown: whether a page that is kept may show them.

    Raises:
        TaxohashError: it has no picture.
    """

    name: str
    names: Sequence[str]
    pictures: Callable[[Rows], Iterable[bytes | None]]
    labels: Sequence[Sequence[Path]] | None = None
    are_items: bool = False
    are_shown: bool = True

    def __post_init__(self) -> None:
        if not self.names:
            raise TaxohashError(f"{self.name} has no picture to ask with: choose other queries")

    def __len__(self) -> int:
        return len(self.names)


def query_sets(dataset: Dataset | None, ids: Ids, splits: Iterable[str], after: Hasher) -> list[QuerySet]:
    """Some splits of a data set, and the canaries in the folder of the later generation, where it has any and they are none of these.

    Args:
        ids: of all images of the data set, see `item_ids`.

    Raises:
        TaxohashError: splits of no data set, no such split, one without an image, or damaged canaries.
    """
    named = list(dict.fromkeys(splits))
    if named and dataset is None:
        raise TaxohashError(f"{', '.join(named)} are splits of no data set: name that too")
    sets = [of_split(dataset, split, ids) for split in named] if dataset is not None else []
    if CANARY not in named and (canaries := Canaries.load(after.folder)) and canaries.pictures:
        sets.append(of_canaries(canaries, after.taxonomy))
    return sets


def of_split(dataset: Dataset, split: str, ids: Ids) -> QuerySet:
    """The images of a split.

    Args:
        ids: as `query_sets` takes them.

    Raises:
        TaxohashError: no such split, or one without an image.
    """
    paths = dataset.taxonomy.paths
    known = dataset.label_column(split) is not None
    labels = [[paths[label] for label in own] for own in dataset.item_labels(split)] if known else None
    return QuerySet(split, ids[split], lambda rows: dataset.images(split, rows), labels, are_items=True)


def of_canaries(canaries: Canaries, taxonomy: Taxonomy) -> QuerySet:
    """Those of a generation with this tree.

    Raises:
        TaxohashError: there is none, or a label that the tree lacks.
    """
    if (highest := max((label for own in canaries.labels for label in own), default=0)) >= len(taxonomy):
        raise TaxohashError(
            f"a canary has the label {highest}, the tree {taxonomy.name!r} 0 to {len(taxonomy) - 1}: export the generation again"
        )
    labels = [[taxonomy.paths[label] for label in own] for own in canaries.labels]
    names = [f"canary {number}" for number in range(1, len(labels) + 1)]
    return QuerySet("canary", names, lambda rows: (canaries.pictures[row] for row in rows), labels)


def of_files(name: str, folder: File, files: Sequence[File]) -> QuerySet:
    """Picture files below a folder; one that cannot be read any more is not there."""

    def read(rows: Rows) -> Iterator[bytes | None]:
        for row in rows:
            try:
                yield files[row].read_bytes()
            except OSError:
                yield None

    return QuerySet(name, [file.relative_to(folder).as_posix() for file in files], read)


def evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """int64[min(count, most)]: of so many rows some, evenly spread, in their order."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def pictures_of(dataset: Dataset, ids: Ids) -> PicturesOf:
    """What finds the pictures of items among a data set's images."""

    def read(items: Iterable[str]) -> dict[str, bytes]:
        wanted, found = set(items), {}
        for split, own in ids.items():
            rows = [row for row, item in enumerate(own) if item in wanted]
            for row, data in zip(rows, dataset.images(split, rows) if rows else (), strict=True):
                found[own[row]] = data
        return found

    return read
