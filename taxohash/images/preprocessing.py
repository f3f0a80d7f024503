"""Preprocessing: from a decoded image to the input of a network."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images.flat import flatten
from taxohash.images.formats import MAX_PIXELS
from taxohash.images.readers import READER, check_reader, decode

Pixels = npt.NDArray[np.uint8]
# A file, its bytes, an image that is open already, or an array uint8[H, W], [H, W, 3] or [H, W, 4].
Picture = str | Path | bytes | Image.Image | Pixels
_UNNAMED = 1  # the reader of preprocessings that do not name one, as those of before


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network; travels in the manifest of a generation.

    Attributes:
        size: height and width of the input, in pixels.
        channels: 1 for grey, 3 for RGB.
        fit: `pad` keeps the aspect ratio on a ground of the border's colour, `crop` cuts the centre.
        mean, std: of each channel on the 0 ... 255 scale, applied inside the network's graph.
        reader: version of the reader that decodes the image.

    Raises:
        TaxohashError: no such reader here.
    """

    size: int
    channels: Literal[1, 3]
    fit: Literal["pad", "crop"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reader: int = READER

    def __post_init__(self) -> None:
        check_reader(self.reader)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.size, self.size)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; the first reader is not named, as it was not when there was no other."""
        data = asdict(self)
        if self.reader == _UNNAMED:
            del data["reader"]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocessing":
        return cls(**{"reader": _UNNAMED, **data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


def read_pixels(data: bytes, preprocessing: Preprocessing, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The input of a network, uint8[channels, size, size], from the bytes of an image.

    Raises:
        TaxohashError: see `decode`.
    """
    return to_array(decode(data, max_pixels, preprocessing.reader), preprocessing)


def load_pixels(image: Picture, preprocessing: Preprocessing) -> Pixels:
    """The input of a network, uint8[channels, size, size], from a picture in any form.

    An image that is open and an array are taken as they are, while a file and its bytes are also turned upright.

    Raises:
        TaxohashError: the file cannot be read, or see `decode`; names the file. What is no picture.
    """
    if isinstance(image, np.ndarray):
        image = _of_array(image)
    if isinstance(image, Image.Image):
        return to_array(_loaded(image), preprocessing)
    if isinstance(image, bytes):
        return read_pixels(image, preprocessing)
    if not isinstance(image, str | Path):
        raise TaxohashError(
            f"{type(image).__name__} is no picture: give a file, its bytes, a Pillow image or an array uint8[H, W, 3]"
        )
    data = read_bytes(image)
    try:
        return read_pixels(data, preprocessing)
    except TaxohashError as error:
        raise TaxohashError(f"{image}: {error}") from None


def read_bytes(file: str | Path) -> bytes:
    """What an image file holds.

    Raises:
        TaxohashError: it cannot be read.
    """
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:  # a path with a null byte is no value either
        reason = getattr(error, "strerror", None) or error
        raise TaxohashError(f"{file} cannot be read ({reason}): give an image file") from None


def to_array(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Flatten, resize and order an image: uint8[channels, size, size]; the aspect ratio is kept.

    Raises:
        TaxohashError: see `flatten`; never of an image that `decode` gave.
    """
    image = _in_mode(flatten(image), "L" if preprocessing.channels == 1 else "RGB")
    size = (preprocessing.size, preprocessing.size)
    if image.size != size:
        image = _cropped(image, size) if preprocessing.fit == "crop" else _padded(image, size)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if preprocessing.channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _of_array(array: npt.NDArray[np.generic]) -> Image.Image:
    if array.dtype != np.uint8 or not array.size or not (array.ndim == 2 or array.shape[2:] in ((3,), (4,))):
        raise TaxohashError(
            f"array {array.dtype}{[*array.shape]} is no picture: give uint8[H, W], uint8[H, W, 3] or uint8[H, W, 4]"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _loaded(image: Image.Image) -> Image.Image:
    """An open image with its pixels, which Pillow reads from the file only now."""
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise TaxohashError(f"image {image!r} cannot be read ({error}): open it again") from None
    if 0 in image.size:
        raise TaxohashError(f"image of {image.width} x {image.height} pixels is empty: leave it out")
    return image


def _cropped(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize(
        size, Image.Resampling.BILINEAR, (left, top, left + side, top + side), reducing_gap=3.0
    )


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    width, height = image.size
    scale = size[0] / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    ground = Image.new(image.mode, size, _border_colour(image))
    ground.paste(
        image.resize(inner, Image.Resampling.BILINEAR, reducing_gap=3.0),
        ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2),
    )
    return ground


def _border_colour(image: Image.Image) -> int | tuple[int, ...]:
    """Median colour of the four corners: the ground that padding continues."""
    width, height = image.size
    corners = np.array([image.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)])
    colour = np.median(corners, axis=0).astype(int)
    return int(colour) if colour.ndim == 0 else tuple(int(c) for c in colour)
