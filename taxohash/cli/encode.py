"""Codes of image files, by a run's network or by a generation's hasher."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from taxohash.codes import Codes
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import MANIFEST
from taxohash.images import load_pixels, read_bytes


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
