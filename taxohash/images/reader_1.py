"""The first reader, as it was, for the hashers that learned from its pixels. It stays for one release.

It reads some PNGs wrongly (16-bit grey and colours that stand for transparency), and what it refuses is refused
still. Only the form of the result is the later reader's.
"""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from taxohash.errors import TaxohashError
from taxohash.images.formats import FORMATS, cannot_decode, check_size, too_large
from taxohash.images.strips import by_strips, strips


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """See `taxohash.images.decode`."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        check_size(*image.size, max_pixels)
        # A JPEG can be decoded at a fraction of its size: enough for any network here, and much cheaper.
        image.draft(None, (1024, 1024))
        image.load()
        vars(image).pop("_decoder", None)  # libwebp's, with two pictures of its own
        # A PNG may have a second header, which Pillow believes while it loads.
        check_size(*image.size, max_pixels)
        flat = _flattened(_upright(image))
        if flat.mode not in ("L", "RGB"):
            raise ValueError("the headers contradict each other")
        return flat
    except (TaxohashError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own, higher limits
        raise too_large(max_pixels) from None
    except Exception as error:  # Pillow raises whatever its decoders meet
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else "damaged or truncated"
        raise cannot_decode(data, reason) from None


def _upright(image: Image.Image) -> Image.Image:
    """The image as its camera was held; as it is where its metadata are damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow raises whatever its parser of metadata meets
        return image


def _flattened(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return by_strips("RGB", _on_white, image)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more: Pillow would clip, not scale
        image = _to_8_bits(image)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    brightest = max(_values(image.crop(box)).max(initial=0.0) for box in strips(*image.size))
    top = 65535.0 if brightest > 255 else 255.0
    return by_strips(
        "L",
        lambda strip: Image.fromarray((_values(strip).clip(0, top) * (255.0 / top)).astype(np.uint8)),
        image,
    )


def _values(image: Image.Image) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=65535.0, neginf=0.0)
