"""From the bytes of an image to the array a network takes. Pillow only: training and serving decode alike."""

import io
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from taxohash.errors import TaxohashError

Pixels = npt.NDArray[np.uint8]
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
# Pillow warns at this size and refuses at twice of it; our own limit comes first.
MAX_PIXELS = 40_000_000


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network; travels in the manifest of a generation.

    Attributes:
        size: height and width of the input, in pixels.
        channels: 1 for grey, 3 for RGB.
        fit: `pad` keeps the aspect ratio on a ground of the border's colour, `crop` cuts the centre.
        mean, std: of each channel on the 0 ... 255 scale, applied inside the network's graph.
    """

    size: int
    channels: Literal[1, 3]
    fit: Literal["pad", "crop"]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.size, self.size)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocessing":
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one still image (the first frame of several) completely, and turn it upright.

    Raises:
        TaxohashError: not one of the formats, truncated, damaged, or of more than `max_pixels` pixels,
            which is read from the header before anything is decoded.
    """
    formats = ", ".join(FORMATS)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > max_pixels:
            raise TaxohashError(
                f"image has {width} x {height} pixels, more than {max_pixels}: send a smaller one"
            )
        # A JPEG can be decoded at a fraction of its size: enough for any network here, and much cheaper.
        image.draft(None, (1024, 1024))
        image.load()
    except TaxohashError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own, higher limits
        raise TaxohashError(f"image has more than {max_pixels} pixels: send a smaller one") from None
    except Exception as error:  # Pillow raises whatever its decoders meet
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else "damaged or truncated"
        raise TaxohashError(
            f"image of {len(data)} bytes cannot be decoded ({reason}): send {formats}"
        ) from None
    return _upright(image)


def to_array(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Flatten, resize and order an image: uint8[channels, size, size].

    Transparent parts are laid on white; the aspect ratio is kept.
    """
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more: Pillow would clip, not scale
        image = _to_8_bits(image)
    image = image.convert("L" if preprocessing.channels == 1 else "RGB")
    size = (preprocessing.size, preprocessing.size)
    if image.size != size:
        image = _cropped(image, size) if preprocessing.fit == "crop" else _padded(image, size)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if preprocessing.channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _upright(image: Image.Image) -> Image.Image:
    """The image as its camera was held; as it is where its metadata are damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow raises whatever its parser of metadata meets
        return image


def _to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=65535.0, neginf=0.0)
    top = 65535.0 if values.max(initial=0.0) > 255 else 255.0
    return Image.fromarray((values.clip(0, top) * (255.0 / top)).astype(np.uint8))


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
