"""Any bytes as a picture, read by both readers; PNG against a decoder by the definition."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.datasets.png import decode_png
from taxohash.images import Preprocessing, decode, png, to_array
from tests.fuzz.mutations import changed_bytes
from tests.support import naive_png
from tests.support.naive_png import SIGNATURE, chunk, chunks_of, header
from tests.support.outcome import answer
from tests.support.pictures import every_form

MEMORY = 512  # of which the libraries take a third
MAX_PIXELS = 1_000_000
NAIVE_PIXELS = 400  # that the decoder by the definition is asked for
READERS = (1, 2)
PREPROCESSINGS = (
    Preprocessing(8, 1, "pad", (0.0,), (1.0,)),
    Preprocessing(8, 3, "crop", (0.0,) * 3, (1.0,) * 3),
)
WORDS = (
    SIGNATURE, b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"gAMA", b"acTL", b"fdAT",
    b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xdb", b"\xff\xdd", b"\xff\xd0",
    b"\xff\xe1", b"\xff\xee", b"Adobe", b"JFIF\0", b"Exif\0\0", b"II*\0", b"MM\0*", b"\x01\x12\0\x03",
    b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ",
    b"GIF87a", b"GIF89a", b"!\xf9\x04", b"!\xff\x0bNETSCAPE2.0", b",\0\0\0\0", b";", b"BM", b"\x28\0\0\0", b"\x7c\0\0\0",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """One of each form, small."""
    return every_form(7, 5)


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another picture; of a PNG most often one chunk, under the checksum that it should have."""
    draw = random.Random(seed)
    chunks = chunks_of(data)
    if not chunks or draw.random() < 0.2:
        return changed_bytes(data, most)
    place = draw.randrange(len(chunks))
    kind, body = chunks[place]
    match draw.randrange(6):
        case 0:
            chunks.insert(draw.randrange(len(chunks)), (kind, body))
        case 1:
            del chunks[place]
        case 2:
            chunks[place] = (
                draw.choice((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"tEXt", b"IEND")),
                body,
            )
        case 3 if kind == b"IDAT":  # the scanlines themselves
            chunks[place] = (kind, _recompressed(body, most))
        case _:
            chunks[place] = (kind, changed_bytes(body, len(body) + 64))
    return (SIGNATURE + b"".join(chunk(kind, body) for kind, body in chunks))[:most]


def attempt(data: bytes, folder: Path) -> None:
    """Both readers answer with a picture of the promised form, or refuse."""
    for version in READERS:
        image = answer(lambda version=version: decode(data, MAX_PIXELS, version))  # type: ignore[misc]
        if image is not None:
            _check(image)
    quick = decode_png(data)
    if quick is not None:
        assert image is not None, "the quick way reads what the reader refuses"
        assert np.array_equal(quick, np.asarray(image)), "the quick way gives other pixels"
    png.shown_alike(data, 64)
    if image is not None and data.startswith(SIGNATURE):
        _check_png(png.parse(data))


def _check(image: Image.Image) -> None:
    assert image.mode in ("L", "RGB")
    assert 0 < image.width * image.height <= MAX_PIXELS
    assert not image.info
    for preprocessing in PREPROCESSINGS:
        assert to_array(image, preprocessing).shape == preprocessing.shape


def _check_png(parts: png.Png) -> None:
    """The pixels against the definition, where there are few."""
    found = parts.header
    if found.width * found.height > NAIVE_PIXELS:
        return
    lines = zlib.decompressobj().decompress(parts.stream, found.scanline_bytes)
    assert len(lines) == found.scanline_bytes, "a picture that lacks pixels was taken for whole"
    plain = (
        SIGNATURE
        + header(found.width, found.height, found.colour, found.depth, found.interlaced)
        + (chunk(b"PLTE", parts.palette) if parts.palette else b"")
        + (chunk(b"tRNS", parts.transparency) if parts.transparency else b"")
        + chunk(b"IDAT", zlib.compress(lines))
    )
    assert np.array_equal(naive_png.decode(plain), np.asarray(png.picture(parts))), (
        "other pixels than by the definition"
    )


def _recompressed(body: bytes, most: int) -> bytes:
    try:
        lines = zlib.decompressobj().decompress(body, 65_536)
    except zlib.error:
        return changed_bytes(body, most)
    return zlib.compress(changed_bytes(lines, len(lines) + 64))
