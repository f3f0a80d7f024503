"""Flattening: any Pillow image as 8-bit grey or RGB, its transparent parts laid on white."""

import numpy as np
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images.strips import by_strips


def flatten(image: Image.Image) -> Image.Image:
    """The image in mode L, if it is grey, or RGB; as it is if that is its form already.

    Of 16 bits the upper eight count.

    Raises:
        TaxohashError: the mode has no known range (I, F).
    """
    if image.mode == "La":
        image = image.convert("LA")  # the one form that Pillow makes of it
    transparent = image.has_transparency_data
    if image.mode in ("L", "RGB") and not transparent:
        return image
    if image.mode in ("I", "F"):
        raise TaxohashError(f"image of mode {image.mode} has no known range: convert it to L or RGB")
    if image.mode.startswith("I;16"):
        return _upper_bits(image)
    grey = image.mode in ("1", "L", "LA")
    if not transparent:
        return image.convert("L" if grey else "RGB")
    return by_strips("L" if grey else "RGB", _grey_on_white if grey else _rgb_on_white, image)


def _grey_on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return on_white(rgba.getchannel("R"), rgba.getchannel("A"))


def _rgb_on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return on_white(rgba.convert("RGB"), rgba.getchannel("A"))


def on_white(colour: Image.Image, alpha: Image.Image) -> Image.Image:
    """An image in mode L or RGB with the opacity `alpha`, in mode L, laid on white."""
    ground = Image.new(colour.mode, colour.size, "white")
    ground.paste(colour, mask=alpha)
    return ground


def _upper_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    if (clear := image.info.get("transparency")) is None:
        return grey
    return on_white(grey, Image.fromarray((values != clear).astype(np.uint8) * np.uint8(255)))
