"""Small files that are much work: a bomb for every part of every format that a reader could take at its word.

Each is made when it is asked for, and the same every time.
"""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from tests.support.naive_png import SIGNATURE, chunk, header
from tests.support.pictures import encoded, noise

MOST = 10 * 2**20 - 1024  # bytes of a picture that just fits into a body
_IEND = chunk(b"IEND")
_ONE_PIXEL = chunk(b"IDAT", zlib.compress(b"\0\0"))


# -- PNG -------------------------------------------------------------------------------------------


@cache
def zeros(size: int) -> bytes:
    """A zlib stream of so many zero bytes, a thousandth as long."""
    squeeze = zlib.compressobj(9)
    block, out = bytes(2**20), []
    out += [squeeze.compress(block) for _ in range(size // len(block))]
    out += [squeeze.compress(bytes(size % len(block))), squeeze.flush()]
    return b"".join(out)


def png(
    width: int, height: int, colour: int, depth: int, *, interlaced: bool = False, before: bytes = b""
) -> bytes:
    """A PNG of nothing but zeros."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if interlaced:  # at most a filter byte a row of each pass, and a byte that is not full
        size = width * height * samples * depth // 8 + 12 * height + 7 * height
    else:
        size = height * (1 + (width * samples * depth + 7) // 8)
    palette = chunk(b"PLTE", bytes(3)) if colour == 3 else b""
    start = SIGNATURE + header(width, height, colour, depth, interlaced) + palette + before
    return start + chunk(b"IDAT", zeros(size)) + _IEND


def small_png(more: bytes, *, after: bytes = b"") -> bytes:
    """A PNG of one grey pixel, with chunks before and after it."""
    return SIGNATURE + header(1, 1, 0, 8) + more + _ONE_PIXEL + after + _IEND


def apng(frames: int, side: int = 8) -> bytes:
    """A sound animation of so many frames."""

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 100, 0, 0))

    image = zlib.compress(bytes((side + 1) * side))
    out = [SIGNATURE, header(side, side, 0, 8), chunk(b"acTL", struct.pack(">II", frames, 0))]
    out += [control(0), chunk(b"IDAT", image)]
    for frame in range(1, frames):
        out += [control(2 * frame - 1), chunk(b"fdAT", struct.pack(">I", 2 * frame) + image)]
    return b"".join([*out, _IEND])


# -- JPEG ------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes = b"") -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _tables() -> bytes:
    """Quantisation, and two codes: DC knows 0 (a bit), AC knows the end of 32,767 blocks (a bit and 14)."""
    one_code = bytes([1]) + bytes(15)
    return segment(0xDB, b"\0" + bytes([1]) * 64) + segment(
        0xC4, b"\x00" + one_code + b"\0" + b"\x10" + one_code + b"\xe0"
    )


def _frame(kind: int, side: int) -> bytes:
    return segment(kind, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))


def _scan(first: int, last: int, low: int, data: bytes) -> bytes:
    return segment(0xDA, bytes([1, 1, 0, first, last, low])) + data


def scans(count: int, side: int = 4000) -> bytes:
    """A progressive JPEG whose every scan but the first says of every block that there is nothing more in it."""
    blocks = ((side + 7) // 8) ** 2
    bits = ""
    for start in range(0, blocks, 32_767):
        run = min(32_767, blocks - start)
        bits += "0" + format(run - 16_384 if run >= 16_384 else 16_383, "014b")
    bits += "1" * (-len(bits) % 8)
    empty = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    levels = bytes(blocks // 8 + 1)  # of DC: no change, a bit each
    begin = b"\xff\xd8" + _tables() + _frame(0xC2, side) + _scan(0, 0, 0, levels)
    return begin + _scan(1, 63, 0, empty) * count + b"\xff\xd9"


def jpeg_with(more: bytes, side: int = 16) -> bytes:
    """A sound JPEG with segments before its frame."""
    data = encoded(noise(side, side), "JPEG")
    return data[:2] + more + data[2:]


def flood(marker: int, body: bytes, size: int = MOST - 4096) -> bytes:
    """A JPEG with one segment over and over."""
    one = segment(marker, body)
    return jpeg_with(one * (size // len(one)))


def arithmetic(side: int = 4000) -> bytes:
    """A JPEG that says it is coded arithmetically."""
    frame = segment(0xC9, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    data = bytes(range(1, 200)) * 64
    return b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1]) * 64) + frame + _scan(0, 63, 0, data) + b"\xff\xd9"


def arithmetic_scans(count: int, side: int = 4000) -> bytes:
    """A progressive arithmetic JPEG of scans that hold nothing."""
    begin = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1]) * 64) + _frame(0xCA, side)
    return begin + _scan(0, 0, 0, b"\0\0") + _scan(1, 63, 0, b"\0\0") * count + b"\xff\xd9"


def refinements(count: int, side: int = 4000) -> bytes:
    """A progressive JPEG that refines DC over and over, a bit a block, from data that has ended."""
    blocks = ((side + 7) // 8) ** 2
    begin = b"\xff\xd8" + _tables() + _frame(0xC2, side) + _scan(0, 0, 1, bytes(blocks // 8 + 1))
    return begin + _scan(0, 0, 0x10, b"") * count + b"\xff\xd9"


def restarts(side: int = 4000) -> bytes:
    """A JPEG with a restart after every block."""
    blocks = ((side + 7) // 8) ** 2
    scan = b"".join(bytes([0x3F, 0xFF, 0xD0 + number % 8]) for number in range(blocks))
    tables = segment(0xDB, b"\0" + bytes([1]) * 64) + segment(0xC4, b"\x00" + bytes([1]) + bytes(15) + b"\0")
    tables += segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\0") + segment(0xDD, b"\0\1")
    return b"\xff\xd8" + tables + _frame(0xC0, side) + _scan(0, 63, 0, scan) + b"\xff\xd9"


def exif(entries: bytes, more: bytes = b"") -> bytes:
    """EXIF metadata of one directory, which starts 8 bytes in."""
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries) // 12) + entries + more


def exif_loop() -> bytes:
    """A JPEG whose directories of metadata point at themselves."""
    pointers = b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005, 0x014A))
    turned = struct.pack("<HHII", 0x0112, 3, 1, 6)
    return jpeg_with(segment(0xE1, exif(turned + pointers, struct.pack("<I", 8))))


def exif_lies() -> bytes:
    """A JPEG whose metadata say that there are four thousand million of them."""
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 0xFFFFFFFF, 8) for tag, kind in ((0x0112, 3), (0x9286, 7))
    )
    return jpeg_with(segment(0xE1, exif(entries * 2000)))


# -- WebP ------------------------------------------------------------------------------------------


def riff(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    """A RIFF chunk, padded; its length may lie."""
    size = len(body) if length is None else length
    return kind + struct.pack("<I", size & 0xFFFFFFFF) + body + b"\0" * (len(body) % 2)


def webp(*chunks: bytes, length: int | None = None) -> bytes:
    """A WebP of chunks."""
    return riff(b"RIFF", b"WEBP" + b"".join(chunks), length)


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    """The header of an extended WebP."""
    return riff(b"VP8X", struct.pack("<I", flags) + _three(width - 1) + _three(height - 1))


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def webp_nested(depth: int = 100_000) -> bytes:
    """RIFF in RIFF in RIFF."""
    out = b""
    for _ in range(min(depth, 2000)):
        out = b"RIFF" + struct.pack("<I", len(out) + 4) + b"WEBP" + out
    return out + b"RIFF\xff\xff\xff\x7fWEBP" * ((depth - 2000) // 4)


@cache
def flat_webp(width: int, height: int) -> bytes:
    """A picture of one colour, without loss: a few bytes whatever its size."""
    return encoded(Image.new("RGB", (width, height), (9, 9, 9)), "WEBP", lossless=True, method=0)


def animated_webp(frames: int, side: int = 8, size: int = 8) -> bytes:
    """A sound animation of so many frames, of `side` pixels on a canvas of `size`."""
    image = encoded(Image.new("RGB", (side, side), (7, 7, 7)), "WEBP", lossless=True)[12:]
    frame = riff(b"ANMF", _three(0) * 2 + _three(side - 1) * 2 + _three(10) + b"\0" + image)
    head = canvas(size, size, 2) + riff(b"ANIM", struct.pack("<IH", 0, 0))
    return webp(head, frame * frames)


# -- GIF -------------------------------------------------------------------------------------------


def gif(frames: int, side: int = 8, screen: int = 8) -> bytes:
    """A sound animation of so many frames, of `side` pixels on a screen of `screen`."""
    head = b"GIF89a" + struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    return head + gif_frame(side) * frames + b";"


def gif_frame(side: int) -> bytes:
    """One frame of one colour."""
    data = encoded(Image.new("P", (side, side)), "GIF")
    start = data.index(b",")
    control = b"!\xf9\x04" + b"\0\1\0\0" + b"\0"
    return control + data[start:-1]


def gif_codes(side: int = 4000) -> bytes:
    """A picture of one colour: each LZW code stands for a row more than the one before."""
    return encoded(Image.new("P", (side, side)), "GIF")


def gif_extensions(size: int = MOST - 4096) -> bytes:
    """Comments of one byte, over and over."""
    one = b"!\xfe\x01x\0"
    data = gif(1)
    return data[:19] + one * (size // len(one)) + data[19:]


# -- BMP -------------------------------------------------------------------------------------------


def bmp(
    width: int,
    height: int,
    bits: int,
    *,
    compression: int = 0,
    body: bytes = b"",
    colours: int = 0,
    offset: int = 0,
) -> bytes:
    """A BMP whose header says what it is told to."""
    palette = bytes(4) * min(colours or (1 << bits if bits <= 8 else 0), 256)
    start = offset or 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", (start + len(body)) & 0xFFFFFFFF, 0, 0, start) + info + palette + body


def bmp_runs(side: int = 4000, ends: int = 0) -> bytes:
    """Runs of 255 equal pixels; or nothing but ends of lines."""
    if ends:
        return bmp(side, side, 8, compression=1, body=b"\0\0" * ends)
    row = b"\xff\x00" * (side // 255) + bytes([side % 255, 0]) + b"\0\0"
    return bmp(side, side, 8, compression=1, body=row * side + b"\0\1")


# -- all -------------------------------------------------------------------------------------------


def _texts(kind: bytes) -> bytes:
    squeezed = zeros(64 * 2**20)
    body = {b"zTXt": b"key\0\0", b"iTXt": b"key\0\1\0en\0key\0", b"iCCP": b"icc\0\0"}[kind] + squeezed
    return small_png(chunk(kind, body) * (1 if kind == b"iCCP" else 100))


def _photograph(side: int, **options: object) -> bytes:
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
    out = io.BytesIO()
    small.resize((side, side)).save(out, "JPEG", quality=30, **options)
    return out.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "JPEG of 2,988 scans": lambda: scans(2_988),
    "JPEG of 332,440 scans": lambda: scans(332_440),
    "JPEG of 300,000 DC refinements": lambda: refinements(300_000),
    "JPEG of 300,000 arithmetic scans": lambda: arithmetic_scans(300_000),
    "JPEG, arithmetic": arithmetic,
    "JPEG, a restart a block": restarts,
    "JPEG, progressive photograph": lambda: _photograph(4000, progressive=True),
    "JPEG, DHT over and over": lambda: flood(0xC4, b"\0" + bytes([0, 1]) + bytes(14) + b"\0"),
    "JPEG, DQT over and over": lambda: flood(0xDB, b"\0" + bytes([1]) * 64),
    "JPEG, APP1 over and over": lambda: flood(0xE1, exif(struct.pack("<HHII", 0x0112, 3, 1, 6) * 9)),
    "JPEG, APP2 over and over": lambda: flood(0xE2, b"ICC_PROFILE\0\1\xff" + b"x" * 40),
    "JPEG, APP13 over and over": lambda: flood(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
    "JPEG, APP14 over and over": lambda: flood(0xEE, b"Adobe\0\x64\0\0\0\0\2"),
    "JPEG, empty COM over and over": lambda: flood(0xFE, b""),
    "JPEG, fill bytes": lambda: jpeg_with(b"\xff" * (MOST - 4096)),
    "JPEG, EXIF that points at itself": exif_loop,
    "JPEG, EXIF that lies": exif_lies,
    "JPEG of 65,500 x 1": lambda: encoded(Image.new("L", (65_500, 1)), "JPEG"),
    "PNG of RGBA, 1 x 16,000,000": lambda: png(1, 16_000_000, 6, 8),
    "PNG of RGBA, 16,000,000 x 1": lambda: png(16_000_000, 1, 6, 8),
    "PNG of RGBA, 4,000 x 4,000": lambda: png(4000, 4000, 6, 8),
    "PNG of RGBA, 16 bits, 4,000 x 4,000": lambda: png(4000, 4000, 6, 16),
    "PNG of RGBA, 16 bits, interlaced": lambda: png(4000, 4000, 6, 16, interlaced=True),
    "PNG of RGB, 1 x 16,000,000": lambda: png(1, 16_000_000, 2, 8),
    "PNG of LA, 16 bits, 16 x 1,000,000": lambda: png(16, 1_000_000, 4, 16),
    "PNG of one bit, 4,000 x 4,000": lambda: png(4000, 4000, 0, 1),
    "PNG of a palette and tRNS, 1 x 16,000,000": lambda: png(
        1, 16_000_000, 3, 8, before=chunk(b"tRNS", b"\0")
    ),
    "PNG, 512 MB of IDAT for a pixel": lambda: SIGNATURE + header(1, 1, 0, 8) + chunk(b"IDAT", zeros(2**29)) + _IEND,
    "PNG, 65,536 empty IDATs": lambda: small_png(chunk(b"IDAT") * 65_536),
    "PNG, 800,000 empty chunks": lambda: small_png(chunk(b"teSt") * 800_000),
    "PNG, 600,000 tEXts": lambda: small_png(chunk(b"tEXt", b"a\0b") * 600_000),
    "PNG, zTXt of 6 GB": lambda: _texts(b"zTXt"),
    "PNG, iTXt of 6 GB": lambda: _texts(b"iTXt"),
    "PNG, iCCP of 64 MB": lambda: _texts(b"iCCP"),
    "PNG, eXIf that points at itself": lambda: small_png(
        chunk(b"eXIf", exif(struct.pack("<HHII", 0x8769, 4, 1, 8), struct.pack("<I", 8))[6:])
    ),
    "APNG of 10,000 frames": lambda: apng(10_000),
    "GIF of 10,000 frames": lambda: gif(10_000),
    "GIF of 10,000 frames on 4,000 x 4,000": lambda: gif(10_000, 8, 4000),
    "GIF, 4,000 x 4,000 of one colour": gif_codes,
    "GIF of 200 frames of 4,000 x 4,000": lambda: gif(200, 4000, 4000),
    "GIF, 2,000,000 comments": gif_extensions,
    "WebP of 10,000 frames": lambda: animated_webp(10_000),
    "WebP of 10,000 frames on 4,000 x 4,000": lambda: animated_webp(10_000, 8, 4000),
    "WebP, 16,383 x 976 of one colour": lambda: flat_webp(16_383, 976),
    "WebP, 4,000 x 4,000 of one colour": lambda: flat_webp(4000, 4000),
    "WebP, a canvas of 16,383 x 16,383": lambda: webp(canvas(16_383, 16_383), flat_webp(8, 8)[12:]),
    "WebP, RIFF in RIFF": webp_nested,
    "WebP, 1,000,000 empty chunks": lambda: webp(canvas(8, 8), riff(b"XXXX", b"") * 1_000_000, flat_webp(8, 8)[12:]),
    "BMP of 24 bits, 1 x 16,000,000 said": lambda: bmp(1, 16_000_000, 24, body=bytes(4096)),
    "BMP, runs, 4,000 x 4,000": bmp_runs,
    "BMP, nothing but ends of lines": lambda: bmp_runs(ends=5_000_000),
}  # fmt: skip


@cache
def bomb(name: str) -> bytes:
    """One of BOMBS."""
    return BOMBS[name]()
