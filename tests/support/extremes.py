"""Pictures of any size in every format and mode, small as files however large they are; and bombs made of them."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common.bombs import ARITHMETIC, ARITHMETIC_PROGRESSIVE, jpeg
from tests.support.naive_png import FORMS, PASSES, SAMPLES, SIGNATURE, chunk, header
from tests.support.pictures import encoded

Maker = Callable[[int, int], bytes]


def makers() -> Iterator[tuple[str, Maker]]:
    """Names and makers of pictures: format, mode and whatever else changes how they are decoded."""
    for colour, depth in FORMS:
        for interlaced in (False, True):
            for transparent in (False, True)[: 1 + (colour in (0, 2, 3))]:
                name = (
                    f"PNG colour {colour} depth {depth}" + " interlaced" * interlaced + " tRNS" * transparent
                )
                yield name, _png_maker(colour, depth, interlaced, transparent)
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            for sampling in (0, 2)[: 1 + (mode == "RGB")]:
                name = f"JPEG {mode}" + " progressive" * progressive + " 4:2:0" * (sampling == 2)
                yield name, _pillow_maker(mode, "JPEG", progressive=progressive, subsampling=sampling)
                yield (
                    f"{name} unended",
                    _cut(_pillow_maker(mode, "JPEG", progressive=progressive, subsampling=sampling)),
                )
    for process in (ARITHMETIC, ARITHMETIC_PROGRESSIVE):
        for components in (1, 3, 4):
            yield f"JPEG arithmetic {process:x} of {components}", _jpeg_maker(process, components)
    for mode in ("RGB", "RGBA"):
        for lossless in (False, True):
            yield f"WEBP {mode}" + " lossless" * lossless, _webp_maker(mode, lossless, frames=1)
            yield f"WEBP {mode} animated" + " lossless" * lossless, _webp_maker(mode, lossless, frames=2)
    for mode in ("L", "P"):
        yield f"GIF {mode}", _pillow_maker(mode, "GIF")
        yield f"GIF {mode} tRNS", _pillow_maker(mode, "GIF", transparency=0)
    for mode in ("1", "L", "P"):
        yield f"BMP {mode}", _pillow_maker(mode, "BMP")
    for four in (False, True):
        yield "BMP RLE4" if four else "BMP RLE8", _rle_maker(four)


def png(
    width: int, height: int, colour: int, depth: int, *, interlaced: bool = False, before: bytes = b""
) -> bytes:
    """A PNG all of whose samples are 0, its last line apart."""
    packer, out = zlib.compressobj(9), bytearray()
    sizes = [(width, height)]
    if interlaced:
        sizes = [
            (-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in PASSES
        ]
    for columns, lines in sizes:
        if columns > 0 and lines > 0:
            line = bytes(1 + -(-columns * depth * SAMPLES[colour] // 8))
            for start in range(0, lines, 1024):
                out += packer.compress(line * min(1024, lines - start))
    out += packer.flush()
    return (
        SIGNATURE
        + header(width, height, colour, depth, interlaced)
        + before
        + chunk(b"IDAT", bytes(out))
        + chunk(b"IEND")
    )


def rle_bitmap(width: int, height: int, *, four: bool = False, run: int = 255) -> bytes:
    """A BMP of runs."""
    runs = b"".join(bytes([min(run, width - x), 1]) for x in range(0, width, run)) + b"\0\0"
    colours = 16 if four else 256
    palette = b"".join(bytes([n, 255 - n, n, 0]) for n in range(colours))
    body = runs * height + b"\0\1"
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 4 if four else 8, 2 if four else 1, len(body), 0, 0, 0, 0
    )
    place = 14 + len(info) + len(palette)
    return struct.pack("<2sIHHI", b"BM", place + len(body), 0, 0, place) + info + palette + body


def _png_maker(colour: int, depth: int, interlaced: bool, transparent: bool) -> Maker:
    before = chunk(b"PLTE", bytes(range(6))) if colour == 3 else b""
    if transparent:
        before += chunk(b"tRNS", {0: bytes(2), 2: bytes(6), 3: b"\x80"}[colour])
    return lambda width, height: png(width, height, colour, depth, interlaced=interlaced, before=before)


def _pillow_maker(mode: str, form: str, **options: object) -> Maker:
    def make(width: int, height: int) -> bytes:
        image = Image.new(mode, (width, height))
        if mode == "P":
            image.putpalette(bytes(range(1, 193)))
        return encoded(image, form, **options)

    return make


def _cut(maker: Maker) -> Maker:
    """Without the end marker."""
    return lambda width, height: maker(width, height)[:-2]


def _jpeg_maker(process: int, components: int) -> Maker:
    return lambda width, height: jpeg(width, height, process, components)


def _webp_maker(mode: str, lossless: bool, frames: int) -> Maker:
    def make(width: int, height: int) -> bytes:
        pixels = np.zeros((height, width, len(mode)), np.uint8)
        pixels[:: max(1, height // 8), :: max(1, width // 8)] = (
            200  # so that the opacity differs and is stored
        )
        images = [Image.fromarray(pixels), *(Image.new(mode, (width, height), n) for n in range(1, frames))]
        options: dict[str, Any] = {"lossless": lossless, "method": 0, "quality": 0}
        if frames > 1:
            options |= {"save_all": True, "append_images": images[1:]}
        return encoded(images[0], "WEBP", **options)

    return make


def _rle_maker(four: bool) -> Maker:
    return lambda width, height: rle_bitmap(width, height, four=four)
