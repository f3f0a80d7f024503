"""Codes of image files or of a data set's splits, by a run's network or by a generation's hasher."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import MANIFEST
from taxohash.images import load_pixels, read_bytes
from taxohash.runtime.atomic import writable

if TYPE_CHECKING:
    from taxohash.release.shards import Shard


def encode_files(source: str | Path, files: Sequence[Path]) -> Codes:
    """Packed codes uint8[N, B] of image files.

    Args:
        source: directory of a generation or of a finished run.

    Raises:
        TaxohashError: neither of the two, or a file that is not an image; names it.
    """
    for file in files:
        read_bytes(file)  # what cannot be read is told before anything is loaded
    folder = Path(source)
    if (folder / MANIFEST).is_file():
        return Hasher(folder).encode(files)
    from taxohash.networks.hashing import encode_pixels  # torch: only where a run is given
    from taxohash.training.run import Run

    network = Run.open(folder).network()
    return encode_pixels(network, np.stack([load_pixels(file, network.preprocessing) for file in files]))


def encode_data(source: Path, data: Path, splits: Sequence[str], out: Path, shard: "Shard") -> int:
    """Write the codes of a shard of some splits, uint8[rows, ceil(bits/8)], to a .npy file; how many there are.

    Args:
        source: folder of a generation, or of a hasher without codes that a pipeline exported.
        splits: all but `canary` if none is named.

    Raises:
        TaxohashError: neither of the two, a split that cannot be indexed, an image that cannot be decoded, or a file that cannot
            be written.
    """
    from taxohash.datasets import Dataset  # pyarrow: only where data are given
    from taxohash.datasets.layout import outside
    from taxohash.datasets.splits import indexed_splits
    from taxohash.release.draft import DRAFT, Draft
    from taxohash.release.shards import encode, save

    if not any((source / name).is_file() for name in (MANIFEST, DRAFT)):
        raise TaxohashError(
            f"{source} holds no exported hasher: give a generation, which `taxohash export` makes of a run"
        )
    if out.is_dir():
        raise TaxohashError(f"{out} is a folder: name a file for the codes")
    writable(outside(out, data).parent)  # before the work that fills it
    dataset = Dataset.open(data)
    indexed = indexed_splits(dataset, splits)
    if (source / MANIFEST).is_file():
        hasher = Hasher(source, threads=os.cpu_count() or 1)
        model, preprocessing = hasher.model, hasher.generation.preprocessing
    else:
        draft = Draft.open(source)
        model, preprocessing = draft.model(), draft.preprocessing
    codes = encode(model, preprocessing, dataset, indexed, shard)
    save(codes, out)
    return len(codes)
