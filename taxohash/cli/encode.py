"""Codes of image files, by a run's network or by a generation's hasher."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from taxohash.codes import Codes
from taxohash.generation.hasher import Hasher, opened
from taxohash.generation.manifest import MANIFEST
from taxohash.images import to_array


def encode_files(source: str | Path, files: Sequence[Path]) -> Codes:
    """Packed codes uint8[N, B] of image files.

    Args:
        source: directory of a generation or of a finished run.

    Raises:
        TaxohashError: neither of the two, or a file that is not an image; names it.
    """
    folder = Path(source)
    images = [opened(file) for file in files]
    if (folder / MANIFEST).is_file():
        return Hasher(folder).encode(images)
    from taxohash.networks.hashing import encode_pixels  # torch: only where a run is given
    from taxohash.training.run import Run

    network = Run.open(folder).network()
    return encode_pixels(network, np.stack([to_array(image, network.preprocessing) for image in images]))
