"""Size and colour of a split's pictures, of their headers alone: every row is looked at, nothing is decoded."""

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError
from taxohash.images import FORMATS, jpeg, png

_PNG_GREY = (0, 4)  # colour types, the second with alpha
_GREY_MODES = frozenset({"1", "L", "LA", "I", "F"})  # of Pillow; I;16 and its like come on top


@dataclass(frozen=True)
class PictureShape:
    """What the pictures of a split have in common.

    Attributes:
        sides: int64[N], the longer side of every picture whose header can be read, in pixels, ascending.
        grey: how many of them are grey.
    """

    sides: npt.NDArray[np.int64]
    grey: int

    @property
    def size(self) -> int:
        """The median of the longer sides (of an even number the smaller middle one), in pixels."""
        return int(self.sides[(len(self.sides) - 1) // 2])

    @property
    def all_grey(self) -> bool:
        return self.grey == len(self.sides)

    def __str__(self) -> str:
        low, high = self.sides[0], self.sides[-1]
        span = f"{low}" if low == high else f"{low} to {high}"
        return f"{len(self.sides):,} pictures of {span} px, {self.grey:,} grey"


def picture_shape(dataset: Dataset, split: str) -> PictureShape:
    """Look at the header of every picture of a split; those that cannot be read do not count.

    Raises:
        TaxohashError: the split cannot be read, or none of its pictures.
    """
    found = [shape for data in dataset.images(split) if (shape := _header(data))]
    if not found:
        raise TaxohashError(
            f"split {split} of {dataset.folder} has no image that can be read: see `taxohash data check`"
        )
    return PictureShape(np.sort([side for side, _ in found]), sum(grey for _, grey in found))


def _header(data: bytes) -> tuple[int, bool] | None:
    """Longer side and whether it is grey, or None if this is no picture; quicker than Pillow for most."""
    try:
        if data.startswith(png.SIGNATURE):
            width, height, colour = struct.unpack_from(">IIxB", data, 16)
            shape, grey = (width, height), colour in _PNG_GREY
        elif header := jpeg.frame(data) if data.startswith(jpeg.SIGNATURE) else None:
            shape, grey = (header.width, header.height), header.components == 1
        else:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                shape, grey = image.size, image.mode in _GREY_MODES or image.mode.startswith("I;")
    except Exception:  # Pillow raises whatever its parsers meet
        return None
    return (max(shape), grey) if min(shape) > 0 else None
