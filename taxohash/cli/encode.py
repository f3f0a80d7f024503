"""Codes of image files, by a run's network or by a generation's hasher."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import MANIFEST
from taxohash.images import decode, to_array


def encode_files(source: str | Path, files: Sequence[Path]) -> Codes:
    """Packed codes uint8[N, B] of image files.

    Args:
        source: directory of a generation or of a finished run.

    Raises:
        TaxohashError: neither of the two, or a file that is not an image; names it.
    """
    folder = Path(source)
    images = [_open(file) for file in files]
    if (folder / MANIFEST).is_file():
        return Hasher(folder).encode_images(images)
    from taxohash.networks.hashing import encode_pixels  # torch: only where a run is given
    from taxohash.training.run import Run

    network = Run.open(folder).network()
    return encode_pixels(network, np.stack([to_array(image, network.preprocessing) for image in images]))


def _open(file: Path) -> Image.Image:
    try:
        return decode(file.read_bytes())
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): give an image file") from None
    except TaxohashError as error:
        raise TaxohashError(f"{file}: {error}") from None
