"""Decode every image of a split and keep a digest of its pixels."""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from taxohash.datasets.dataset import Dataset
from taxohash.datasets.png import decode_png
from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.runtime.progress import track


class Undecodable(NamedTuple):
    """A row whose image cannot be decoded, and why."""

    row: int
    reason: str


def pixel_digests(
    dataset: Dataset, split: str, *, progress: bool = True
) -> tuple[list[bytes], list[Undecodable]]:
    """For every image 16 bytes that are equal just for equal pixels (empty if undecodable), and what failed.

    Raises:
        TaxohashError: the split cannot be read.
    """
    digests, failures = [], []
    images = track(dataset.images(split), dataset.count(split), f"checking {split}", shown=progress)
    for row, data in enumerate(images):
        try:
            digests.append(pixel_digest(data))
        except TaxohashError as error:
            failures.append(Undecodable(row, str(error)))
            digests.append(b"")
    return digests, failures


def pixel_digest(data: bytes) -> bytes:
    """16 bytes that are equal just for equal pixels.

    Raises:
        TaxohashError: it cannot be decoded.
    """
    quick = decode_png(data)
    pixels = np.asarray(decode(data)) if quick is None else quick
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]  # grey, stored as RGB
    return blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest()
