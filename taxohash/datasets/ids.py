"""The ids of a data set's images: what they are known by in every version of the set."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id


def item_ids(dataset: Dataset) -> dict[str, list[str]]:
    """The id of every image of every split, each once in the whole set.

    It is the image's path where no other image of the set has that path, else the sha256 of its bytes in hex, followed by
    -2, -3, ... for further images of equal bytes. So it tells neither row nor split, and a new version of the set that
    adds, removes or moves other images leaves it as it is. Only images that need it are read.

    Raises:
        TaxohashError: a split that cannot be read.
    """
    ids = {split: dataset.paths(split) for split in dataset.splits}
    images = Counter(path for paths in ids.values() for path in paths)
    taken = {path for path, count in images.items() if path and count == 1}
    copies: Counter[str] = Counter()
    for split, known in ids.items():
        unnamed = [row for row, path in enumerate(known) if path not in taken]
        for row, digest in zip(unnamed, _digests(dataset, split, unnamed), strict=True):
            known[row] = _next_free(digest, copies, taken)
    return ids


def id_faults(dataset: Dataset, split: str) -> Iterator[str]:
    """What is wrong with the paths of a split as ids, in one sentence.

    Raises:
        TaxohashError: the split cannot be read.
    """
    faults = [
        (row, fault) for row, path in enumerate(dataset.paths(split)) if path and (fault := _fault(path))
    ]
    if faults:
        row, fault = faults[0]
        yield f"{len(faults)} images of {split} have a path that cannot be an id, the first in row {row}: {fault}"


def _fault(path: str) -> str | None:
    try:
        check_id(path)
    except TaxohashError as error:
        return str(error)
    return None


def _digests(dataset: Dataset, split: str, rows: Collection[int]) -> Iterator[str]:
    """The sha256 of some of a split's images, given in ascending order; a row group at a time."""
    wanted = set(rows)
    for group in dataset.row_groups(split):
        inside = sorted(wanted.intersection(range(group.first_row, group.first_row + group.rows)))
        images = group.images() if inside else []
        for row in inside:
            yield hashlib.sha256(images[row - group.first_row]).hexdigest()


def _next_free(digest: str, copies: Counter[str], taken: Collection[str]) -> str:
    """The id of the next image with this digest; a path may look like one, and keeps what it has."""
    while True:
        copies[digest] += 1
        found = digest if copies[digest] == 1 else f"{digest}-{copies[digest]}"
        if found not in taken:
            return found
