"""Pictures of the training split that no trial learns from, and that all are measured by."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digests
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError

TRAIN, VALIDATION, HELD_OUT = "train", "val", "held-out"
SHARE = 0.2
FEWEST = 2  # pictures that are held out, so that anything is measured
_RANGE = 2**64


def held_out(dataset: Dataset, folder: Path) -> tuple[Dataset, str]:
    """The data that trials learn from, and the split that they are measured by: the set itself where it has a split `val`, else a
    copy of its training split in `folder`, made once, in which a share of the pictures is a split of its own.

    Raises:
        TaxohashError: the training split is missing or damaged, or has too few pictures.
    """
    if VALIDATION in dataset.splits and dataset.label_column(VALIDATION) is not None:
        return dataset, VALIDATION
    if not folder.exists():
        away = drawn(pixel_digests(dataset, TRAIN)[0], [tuple(own) for own in dataset.item_labels(TRAIN)])
        if int(away.sum()) < FEWEST:
            raise TaxohashError(
                f"split {TRAIN} of {dataset.folder} has {len(away)} pictures, too few to hold any out: add a split {VALIDATION}"
            )
        parts = [(TRAIN, _rows(dataset, ~away)), (HELD_OUT, _rows(dataset, away))]
        write_dataset(folder, dataset.taxonomy, parts)
    return Dataset.open(folder), HELD_OUT


def drawn(digests: list[bytes], labels: list[tuple[int, ...]], share: float = SHARE) -> npt.NDArray[np.bool_]:
    """bool[N]: which pictures are held out, by digests of their pixels, so that copies stay together and a new picture moves no other.

    Where none of a label would be left, its picture of the largest digest stays, with its copies.
    """
    largest: dict[int, bytes] = {}
    for digest, own in zip(digests, labels, strict=True):
        for label in own:
            largest[label] = max(largest.get(label, b""), digest)
    staying = {*largest.values(), b""}  # a picture that cannot be decoded is not measured by
    return np.array(
        [digest not in staying and int.from_bytes(digest[:8], "big") / _RANGE < share for digest in digests],
        np.bool_,
    )


def _rows(dataset: Dataset, taken: npt.NDArray[np.bool_]) -> Iterator[Row]:
    sets, labels = dataset.label_column(TRAIN) == "labels", dataset.item_labels(TRAIN)
    for row, image in enumerate(dataset.images(TRAIN)):
        if taken[row]:
            yield Row(image, f"{TRAIN}/{row}", labels[row] if sets else labels[row][0])
