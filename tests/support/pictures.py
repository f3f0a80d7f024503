"""Pictures of every format and mode, and their bytes."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

MODES = {
    "PNG": ("1", "L", "LA", "P", "P with tRNS", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK", "YCCK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P", "P with tRNS", "RGB"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
}


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image in a format."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture whose every pixel, and opacity, is drawn."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    rgba = Image.fromarray(pixels)
    match mode:
        case "I;16":
            return Image.fromarray(pixels[..., 0].astype(np.uint16) << 8 | pixels[..., 1])
        case "P":
            return rgba.convert("RGB").quantize(64)
        case "P with tRNS":
            image = rgba.convert("RGB").quantize(64)
            image.info["transparency"] = 3
            return image
        case "YCCK":
            return rgba.convert("CMYK")
        case "RGBA" | "LA":
            return rgba.convert(mode)
        case _:
            return rgba.convert("RGB").convert(mode)


def turned(orientation: int) -> bytes:
    """EXIF metadata of a camera that was held so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def every_picture(width: int = 20, height: int = 16) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of one picture of each format and mode, of animations, and of photographs held otherwise."""
    for seed, (form, modes) in enumerate(MODES.items()):
        for mode in modes:
            data = encoded(noise(width, height, mode, seed), form)
            if mode == "YCCK":  # what Adobe's programs write; Pillow writes CMYK, and only says so otherwise
                hint = data.index(b"Adobe") + 11
                data = data[:hint] + b"\x02" + data[hint + 1 :]
            yield f"{form} {mode}", data
    frames = [noise(width, height, seed=seed) for seed in range(3)]
    for form in ("PNG", "WEBP", "GIF"):
        yield (
            f"{form} animated",
            encoded(frames[0], form, save_all=True, append_images=frames[1:], lossless=True),
        )
    for form in ("PNG", "JPEG", "WEBP"):
        yield f"{form} turned", encoded(frames[0], form, exif=turned(6))
