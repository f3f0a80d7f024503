"""Versions of a data set and generations of them, made without training: codes are the first bytes of each image's digest."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taxohash.datasets import Dataset
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.generation.manifest import Generation
from taxohash.images import Preprocessing
from taxohash.taxonomy import Taxonomy

BITS = 24
SPLIT = "train"


def image(name: str) -> bytes:
    """A PNG of few pixels, another one for each name."""
    random = np.random.default_rng(list(name.encode()))
    return encode_png(random.integers(0, 256, (5, 7), np.uint8))


def data_version(
    folder: Path, taxonomy: Taxonomy, labels: Mapping[str, int], painted: Mapping[str, str] | None = None
) -> Dataset:
    """A data set with an image of each id, with these labels.

    Args:
        painted: ids whose image is that of another name.
    """
    looks = painted or {}
    rows = [Row(image(looks.get(item_id, item_id)), item_id, label) for item_id, label in labels.items()]
    write_dataset(folder, taxonomy, [(SPLIT, rows)])
    return Dataset.open(folder)


def codes_of(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """uint8[N, 3], of the images of a data set in the order of the rows."""
    digests = b"".join(hashlib.sha256(data).digest()[:3] for data in dataset.images(SPLIT))
    return np.frombuffer(digests, np.uint8).reshape(-1, 3)


def generation_of(dataset: Dataset) -> Generation:
    """The manifest of a generation that holds `codes_of` the data set."""
    return Generation(
        bits=BITS,
        objective={"name": "digest"},
        network="none",
        preprocessing=Preprocessing(size=8, channels=1, fit="pad", mean=(127.5,), std=(1.0,)),
        taxonomy_sha256=dataset.taxonomy.sha256,
        dataset_md5=dataset.md5(),
        code_revision={},
        evaluation={"protocol": "none"},
        bit_health={},
        reference={},
        database=[{"split": SPLIT, "rows": dataset.count(SPLIT)}],
    )
