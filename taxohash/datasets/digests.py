"""Decode every image of a split and keep a digest of its pixels."""

from hashlib import blake2b
from typing import NamedTuple

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
            digests.append(_digest(data))
        except TaxohashError as error:
            failures.append(Undecodable(row, str(error)))
            digests.append(b"")
    return digests, failures


def _digest(data: bytes) -> bytes:
    quick = decode_png(data)
    if quick is not None:
        height, width, *channels = quick.shape
        form, pixels = ("RGB" if channels else "L", (width, height)), quick.tobytes()
    else:
        image = decode(data)
        image = (
            image.convert("RGBA") if image.mode in ("P", "PA") else image
        )  # equal indices may mean other colours
        form, pixels = (image.mode, image.size), image.tobytes()
    return blake2b(repr(form).encode() + pixels, digest_size=16).digest()
