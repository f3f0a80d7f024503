"""Pictures of every format and mode, and their bytes."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from taxohash.datasets.png import encode_png
from tests.support import naive_png
from tests.support.naive_png import FORMS, SAMPLES, chunk

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


def every_form(width: int, height: int) -> Iterator[bytes]:
    """Every format and mode, every form of PNG with transparency and interlaced, and what encoders differ in."""
    yield from (data for _, data in every_picture(width, height))
    draw = np.random.default_rng(0)
    for number, (colour, depth) in enumerate(FORMS):
        samples = draw.integers(0, 1 << depth, (height, width, SAMPLES[colour])).astype(np.int64)
        before = chunk(b"PLTE", draw.bytes(3 * 6)) if colour == 3 else b""
        if colour == 3:
            samples %= 6
        before += {
            0: chunk(b"tRNS", b"\0\1"),
            2: chunk(b"tRNS", b"\0\1" * 3),
            3: chunk(b"tRNS", b"\0\x80"),
        }.get(colour, b"")
        yield naive_png.encode(
            samples, colour, depth, before=before, interlaced=number % 2 == 0, filters=range(5), pieces=2
        )
    yield encode_png(draw.integers(0, 256, (height, width), np.uint8))
    yield encode_png(draw.integers(0, 256, (height, width, 3), np.uint8))
    picture = noise(3 * width, 3 * height)
    yield encoded(picture, "JPEG", progressive=True)
    yield encoded(picture, "JPEG", restart_marker_blocks=1, subsampling=0)
    yield encoded(picture, "JPEG", optimize=True)[:-2]
    yield encoded(picture, "WEBP", lossless=True)
    yield encoded(picture, "PNG", icc_profile=b"none", dpi=(1, 1))
