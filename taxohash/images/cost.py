"""What it will cost to read a picture, told from its headers in microseconds, before anything is decoded.

Memory is an upper bound, which the tests hold every format, mode and shape against. Time is a guess: good enough to
tell a photograph from a bomb, and no more; a picture may still take longer than it says.
"""

import struct
from itertools import islice
from typing import NamedTuple

from taxohash.images import jpeg, png, webp

MOST_SCANS = 500  # of a JPEG; encoders write some ten, and libjpeg's own fuzzers stop here
_BASE = 8 << 20  # bytes of memory: strips, tables of the codecs, what they produce
_COPIES = 5  # of a picture's own bytes
_MOST_BYTES = 17  # a pixel: WebP, whose library has three pictures of its own beside ours
_UNKNOWN = 1.0  # seconds of what hides its headers behind more parts than any encoder writes
_SEGMENTS, _BLOCKS = 256, 1024  # that are gone through for the headers
_DRAFT = 1024  # pixels that a JPEG keeps of each side, where it has more (see reader.py)
_FRAME, _EXTENSION, _TRAILER = b",!;"  # of a GIF
_PIECE = 1 << 16  # bytes in which scans are counted together
_ENDS = 1 << 16  # bytes, of a JPEG's last, among which its end marker should be


class Cost(NamedTuple):
    """Of one picture.

    Attributes:
        width, height: in pixels, as its header says.
        seconds: of one CPU, roughly.
        memory: bytes that are taken at most, the picture's own included.
        scans: of a JPEG, counted to one beyond MOST_SCANS; else 1.
    """

    width: int
    height: int
    seconds: float
    memory: int
    scans: int = 1


def cost(data: bytes) -> Cost:
    """What reading these bytes will cost, by either reader; 0 x 0 pixels where they are no picture that we read."""
    if data.startswith(png.SIGNATURE):
        found = _png(data)
    elif data.startswith(jpeg.SIGNATURE):
        found = _jpeg(data)
    elif webp.is_webp(data):
        found = _webp(data)
    elif data.startswith(b"GIF8"):
        found = _gif(data)
    elif data.startswith(b"BM"):
        found = _bmp(data)
    else:
        found = None
    found = found or Cost(0, 0, 0.0, 0)
    return found._replace(
        seconds=found.seconds + 1e-8 * len(data), memory=found.memory + _COPIES * len(data) + _BASE
    )


def most_memory(pixels: int, size: int) -> int:
    """Bytes that any picture of so many pixels and bytes takes at most."""
    return _MOST_BYTES * pixels + _COPIES * size + _BASE


def _png(data: bytes) -> Cost | None:
    header = png.first_header(data)
    if header is None:
        return None
    pixels = header.width * header.height
    return Cost(header.width, header.height, 8e-9 * (pixels + header.scanline_bytes), 13 * pixels)


def _jpeg(data: bytes) -> Cost | None:
    width = height = blocks = components = 0
    arithmetic = progressive = False
    segments = jpeg.segments(data)
    for segment in islice(segments, _SEGMENTS):
        body = segment.body
        if segment.marker in jpeg.FRAMES and len(body) >= 6 and not components:
            height, width, components = struct.unpack_from(">HHB", body, 1)
            blocks = _blocks(width, height, body[7::3])
            arithmetic, progressive = segment.marker >= 0xC9, segment.marker & 3 == 2
        elif segment.marker == jpeg.SOS:
            if not components:
                return None
            several = progressive or body[:1] != bytes([components])
            scans = _scans(data, segment.start) if several else 1
            scale = next((s for s in (8, 4, 2) if min(width, height) >= s * _DRAFT), 1)
            kept = width * height // scale**2
            seconds = 4e-9 * width * height + 12e-9 * kept + 1.5e-8 * scans * blocks
            seconds *= 4 if arithmetic else 1
            seconds *= 1 if jpeg.END in data[-_ENDS:] else 3  # see reader.py: it is decoded three times
            coefficients = 128 * blocks if several else 0
            return Cost(width, height, seconds, max(coefficients + 5 * kept, 13 * kept), scans)
    return Cost(width, height, _UNKNOWN, 13 * width * height) if next(segments, None) else None


def _blocks(width: int, height: int, sampling: bytes) -> int:
    """Blocks of 8 x 8 of all components, given the sampling factors of each (T.81, A.1.1)."""
    across, down = [own >> 4 for own in sampling], [own & 15 for own in sampling]
    widest, highest = max(1, *across, 1), max(1, *down, 1)
    return sum(
        -(-width * own_across // (8 * widest)) * -(-height * own_down // (8 * highest))
        for own_across, own_down in zip(across, down, strict=True)
    )


def _scans(data: bytes, at: int) -> int:
    """How often a scan is announced, and no fewer than there are; beyond MOST_SCANS nothing is counted."""
    count, marker = 0, bytes([0xFF, jpeg.SOS])
    while count <= MOST_SCANS and at < len(data):
        count += data.count(marker, at, at + _PIECE + 1)  # a byte more, for one across the border
        at += _PIECE
    return min(count, MOST_SCANS + 1)


def _webp(data: bytes) -> Cost | None:
    kind, start = data[12:16], data[20:30]
    if len(start) < 10:
        return None
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(start[at : at + 3], "little") for at in (4, 7))
    elif kind == b"VP8L":
        bits = int.from_bytes(start[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", start, 6))
    else:
        return None
    return Cost(width, height, 3.5e-8 * width * height + 4e-8 * len(data), _MOST_BYTES * width * height)


def _gif(data: bytes) -> Cost | None:
    """The larger of screen and first frame, since a frame may reach beyond its screen."""
    if len(data) < 13:
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    in_extension = False
    for _ in range(_BLOCKS):
        if at + 9 >= len(data) or (not in_extension and data[at] == _TRAILER):
            return None
        if in_extension:  # one of its blocks, of which an empty one is the last
            in_extension = data[at] > 0
            at += 1 + data[at]
        elif data[at] == _EXTENSION:
            in_extension = True
            at += 2
        elif data[at] == _FRAME:
            left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
            width, height = max(width, left + across), max(height, top + down)
            return Cost(width, height, 1.5e-8 * width * height, 11 * width * height)
        else:
            at += 1
    return Cost(width, height, _UNKNOWN, 11 * width * height)


def _bmp(data: bytes) -> Cost | None:
    if len(data) < 34:
        return None
    if data[14] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        runs = False
    else:
        width, height = struct.unpack_from("<Ii", data, 18)
        runs = data[30] in (1, 2)
    pixels = width * abs(height)
    seconds = 6e-8 * pixels + 3e-7 * len(data) if runs else 8e-9 * pixels  # runs are Pillow's, in Python
    return Cost(width, abs(height), seconds, 13 * pixels)
