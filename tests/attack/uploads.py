"""Bodies that somebody could upload as a picture: sound, spoilt in every way, lying, or something else altogether.

What is drawn follows from the seed; a longer run begins with what a shorter one had.
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache

from PIL import Image

from tests.attack.bombs import BOMBS, bomb, riff, webp
from tests.support.naive_png import SIGNATURE, chunk, chunks_of, header
from tests.support.pictures import encoded, every_form, every_picture, noise

ODD = (0, 1, 2, 3, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG_KINDS = (
    b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB",
    b"sBIT", b"bKGD", b"hIST", b"pHYs", b"sPLT", b"tIME", b"acTL", b"fcTL", b"fdAT", b"cICP", b"nope",
)  # fmt: skip
_WEBP_KINDS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"RIFF")
_JPEG_KINDS = tuple(bytes([0xFF, marker]) for marker in range(0xC0, 0xFF))
SIGNATURES = (SIGNATURE, b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBPVP8 ", b"GIF89a", b"BM")


@cache
def forms() -> list[bytes]:
    """Small pictures, one of each form."""
    return [*every_form(7, 5), *(data for _, data in every_picture())]


def uploads(seed: int) -> Iterator[tuple[str, bytes]]:
    """Kind and bytes of one upload after another, for ever."""
    draw = random.Random(seed)
    spoilt = cuts(draw)
    kinds, weights = [*KINDS], [weight for weight, _ in KINDS.values()]
    while True:
        for kind in draw.choices(kinds, weights, k=1000):
            yield kind, next(spoilt) if kind == "cut" else KINDS[kind][1](draw)


def cuts(draw: random.Random) -> Iterator[bytes]:
    """Every picture up to every one of its bytes, in some order, and then again."""
    places = [(number, end) for number, data in enumerate(forms()) for end in range(len(data))]
    while True:
        draw.shuffle(places)
        yield from (forms()[number][:end] for number, end in places)


# -- spoilt ----------------------------------------------------------------------------------------


def _sound(draw: random.Random) -> bytes:
    return draw.choice(forms())


def _flipped(draw: random.Random) -> bytes:
    """Some bits are other ones."""
    data = bytearray(_sound(draw))
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _spliced(draw: random.Random) -> bytes:
    """The head of one and the tail of another; or a piece left out, twice there, or of other bytes."""
    first, second = _sound(draw), _sound(draw)
    cut, other = draw.randrange(len(first)), draw.randrange(len(second))
    match draw.randrange(4):
        case 0:
            return first[:cut] + second[other:]
        case 1:
            return first[:cut] + first[draw.randrange(len(first)) :]
        case 2:
            return first[:cut] + draw.randbytes(draw.randrange(1, 64)) + first[cut:]
        case _:
            return first + second


def _rearranged(draw: random.Random) -> bytes:
    """Other parts, in another order, under checksums and lengths that are right."""
    data = draw.choice(_of_parts())
    if data.startswith(SIGNATURE):
        return SIGNATURE + b"".join(chunk(*part) for part in _changed(chunks_of(data), _PNG_KINDS, draw))
    if data.startswith(b"RIFF"):
        return webp(*(riff(*part) for part in _changed(_riff_chunks(data), _WEBP_KINDS, draw)))
    parts, rest = _segments(data)
    changed = _changed(parts, _JPEG_KINDS, draw)
    body = b"".join(kind + struct.pack(">H", (len(body) + 2) & 0xFFFF) + body for kind, body in changed)
    return b"\xff\xd8" + body + rest


@cache
def _of_parts() -> list[bytes]:
    """The pictures that are a list of parts with a kind and a length each."""
    return [data for data in forms() if data.startswith((SIGNATURE, b"RIFF", b"\xff\xd8"))]


def _changed(
    parts: list[tuple[bytes, bytes]], kinds: tuple[bytes, ...], draw: random.Random
) -> list[tuple[bytes, bytes]]:
    """Parts of which one is left out, twice there, elsewhere, of another kind, or has another body."""
    parts = parts[:]
    for _ in range(draw.choice((1, 1, 2, 3))):
        if not parts:
            return parts
        place = draw.randrange(len(parts))
        kind, body = parts[place]
        match draw.randrange(7):
            case 0:
                del parts[place]
            case 1:
                parts.insert(draw.randrange(len(parts) + 1), (kind, body))
            case 2:
                parts.insert(draw.randrange(len(parts)), parts.pop(place))
            case 3:
                parts[place] = (draw.choice(kinds), body)
            case 4:
                parts[place] = (kind, body[: draw.randrange(len(body) + 1)])
            case 5:
                parts[place] = (kind, body + draw.randbytes(draw.choice((1, 2, 16, 300))))
            case _:
                changed = bytearray(body or b"\0")
                changed[draw.randrange(len(changed))] = draw.choice(
                    (0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256))
                )
                parts[place] = (kind, bytes(changed))
    return parts


def _riff_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _segments(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A JPEG's segments up to its first scan, and the rest from there."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        found.append((data[at : at + 2], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found, data[at:]


# -- lies ------------------------------------------------------------------------------------------


def _lying(draw: random.Random) -> bytes:
    """A header, or a length anywhere, that says something else; under the checksum that it should have."""
    data = _sound(draw)
    if data.startswith(SIGNATURE) and draw.random() < 0.7:
        return _lying_png(chunks_of(data), draw)
    size = draw.choice((1, 2, 2, 4))
    within = len(data) if draw.random() < 0.3 else min(len(data), 64)
    at = draw.randrange(max(1, within - size))
    value = draw.choice(ODD) & (256**size - 1)
    lie = struct.pack(draw.choice(("<", ">")) + {1: "B", 2: "H", 4: "I"}[size], value)
    return data[:at] + lie + data[at + size :]


def _lying_png(parts: list[tuple[bytes, bytes]], draw: random.Random) -> bytes:
    if draw.random() < 0.5:
        width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", parts[0][1])
        lies = {
            "width": (draw.choice(ODD), height, depth, colour, *rest),
            "height": (width, draw.choice(ODD), depth, colour, *rest),
            "depth": (width, height, draw.randrange(40), colour, *rest),
            "colour": (width, height, depth, draw.randrange(10), *rest),
            "methods": (width, height, depth, colour, *(draw.randrange(3) for _ in rest)),
        }
        body = struct.pack(">IIBBBBB", *lies[draw.choice(sorted(lies))])
        return SIGNATURE + b"".join(chunk(*part) for part in [(b"IHDR", body), *parts[1:]])
    place, length = draw.randrange(len(parts)), draw.choice(ODD)
    pieces = [chunk(*part) for part in parts]
    pieces[place] = struct.pack(">I", length) + pieces[place][4:]
    return SIGNATURE + b"".join(pieces)


def _overfull(draw: random.Random) -> bytes:
    """A PNG of a palette with more transparencies, or fewer colours, than there is room for."""
    depth = draw.choice((1, 2, 4, 8))
    colours, opacities = (
        draw.choice((0, 1, 2, 3, 255, 256, 257, 300)),
        draw.choice((0, 1, 255, 256, 257, 400, 70_000)),
    )
    lines = zlib.compress((b"\0" + draw.randbytes(depth)) * 8)  # 8 x 8
    palette, transparency = chunk(b"PLTE", bytes(3 * colours)), chunk(b"tRNS", draw.randbytes(opacities))
    parts = [palette, transparency] if draw.random() < 0.8 else [transparency, palette]
    return SIGNATURE + header(8, 8, 3, depth) + b"".join(parts) + chunk(b"IDAT", lines) + chunk(b"IEND")


# -- something else --------------------------------------------------------------------------------


@cache
def strangers() -> list[bytes]:
    """Files that are no pictures of the formats that are read."""
    picture = noise(9, 7)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("p.png", encoded(picture))
    others = [encoded(picture, form) for form in ("TIFF", "ICO", "PPM", "PCX", "TGA", "SGI", "DDS", "PDF")]
    return [
        b"", b" ", b"\0", b"\n" * 4096, bytes(100_000), b"hello, this is no picture", *others, *SIGNATURES,
        encoded(picture.convert("P"), "GIF")[:6], archive.getvalue(),
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><svg>&b;</svg>',
        b"<!DOCTYPE html><script>alert(1)</script>", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj", b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\xff\x4f\xff\x51", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\0\0\0\x08", b"8BPS\0\1", b"\x80\x04.", b"PK\5\6" + bytes(18),
        b"\x1f\x8b\x08\0", b"#!/bin/sh\nreboot\n", b"\x7fELF\2\1\1", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"RIFF\0\0\0\0AVI ",
    ]  # fmt: skip


def _stranger(draw: random.Random) -> bytes:
    match draw.randrange(3):
        case 0:
            return draw.randbytes(draw.choice((1, 9, 300, 5000)))
        case 1:
            return draw.choice(SIGNATURES) + draw.randbytes(draw.choice((0, 1, 9, 300)))
        case _:
            return draw.choice(strangers())


def _large(draw: random.Random) -> bytes:
    """A sound picture of some size, or one too large by a byte."""
    return draw.choice(_large_ones())


@cache
def _large_ones() -> list[bytes]:
    flat = Image.new("RGB", (3000, 2000), (1, 2, 3))
    return [encoded(noise(400, 300), form) for form in ("PNG", "JPEG", "WEBP", "BMP")] + [
        encoded(flat, "JPEG"),
        encoded(flat.convert("P"), "GIF"),
        encoded(flat) + bytes(10 * 2**20 - len(encoded(flat))),
    ]


KINDS: dict[str, tuple[float, Callable[[random.Random], bytes]]] = {
    "cut": (0.30, _sound),
    "bits flipped": (0.19, _flipped),
    "spliced": (0.10, _spliced),
    "parts rearranged": (0.20, _rearranged),
    "lying": (0.10, _lying),
    "palette overfull": (0.02, _overfull),
    "no picture": (0.04, _stranger),
    "sound": (0.048, _sound),
    "large": (0.0015, _large),
    "bomb": (0.0005, lambda draw: bomb(draw.choice(list(BOMBS)))),
}
