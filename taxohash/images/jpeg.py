"""JPEG as Pillow and libjpeg are to see it: the picture without what may be damaged around it. ITU-T T.81, annex B."""

import random
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from taxohash.images.exif import PREFIX
from taxohash.images.formats import UnreadableError

SIGNATURE = b"\xff\xd8\xff"
END = b"\xff\xd9"
_START = SIGNATURE[:2]
EOI, SOS = 0xD9, 0xDA
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_APP0, _APP1, _APP14, _COMMENT = 0xE0, 0xE1, 0xEE, 0xFE
# What libjpeg takes for hints at the colour space, by the least length that it takes for such.
_HINTS = {_APP0: (b"JFIF\0", 14), _APP14: (b"Adobe", 12)}
# A marker that has a segment, or the end: no stuffed byte, restart or fill byte.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_MOST_SEGMENTS = 4096
_INTERVALS, _INTERVAL = 64, 256  # restart intervals of noise, bytes of each


class Segment(NamedTuple):
    """What follows a marker, without its length; `start` is where the marker stands, `end` what comes next."""

    marker: int
    start: int
    end: int
    body: bytes


class Frame(NamedTuple):
    """Of a frame header; the height may be 0, where it is told after the scan."""

    width: int
    height: int
    components: int


def frame(data: bytes) -> Frame | None:
    """The first frame header, if there is one; nothing behind it is looked at.

    Raises:
        UnreadableError: there are more parts than any encoder writes.
    """
    for segment in segments(data):
        if segment.marker in FRAMES and len(segment.body) >= 6:
            height, width, components = struct.unpack_from(">HHB", segment.body, 1)
            return Frame(width, height, components)
    return None


def without_metadata(data: bytes) -> tuple[bytes, bytes]:
    """The JPEG without texts, profiles and whatever else programs put before the picture; and its EXIF metadata.

    Raises:
        UnreadableError: it has no scan, or more parts than any encoder writes.
    """
    kept, exif = [_START], b""
    for segment in segments(data):
        if segment.marker == SOS:
            return b"".join(kept) + data[segment.start :], exif
        if segment.marker == _APP1 and segment.body.startswith(PREFIX):
            exif = exif or segment.body
        if _matters(segment):
            kept.append(data[segment.start : segment.end])
    raise UnreadableError("truncated")


def _matters(segment: Segment) -> bool:
    if segment.marker in _HINTS:
        name, least = _HINTS[segment.marker]
        return segment.body.startswith(name) and len(segment.body) >= least
    return not (_APP0 <= segment.marker < _APP0 + 16 or segment.marker == _COMMENT)


def lacks_only_its_end(data: bytes) -> bool:
    """Whether there is no end marker, and scans of every component of the picture in full precision.

    The last scan may still be cut off.
    """
    precise: dict[int, dict[int, bool]] = defaultdict(dict)  # for each component its coefficients
    components: list[int] = []
    for segment in segments(data):
        body = segment.body
        if segment.marker == EOI:
            return False
        if segment.marker in FRAMES and len(body) >= 6:
            components = list(body[6::3])
        elif segment.marker == SOS and len(body) == 4 + 2 * body[0]:
            first, last, low_bit = body[-3], body[-2], body[-1] & 15
            for component in body[1:-3:2]:
                precise[component] |= dict.fromkeys(range(first, last + 1), low_bit == 0)
    whole = all(precise[own].get(k, False) for own in components for k in range(64))
    return whole and bool(components)


def more_scan_data(data: bytes) -> bytes:
    """What a scan that is cut off might go on with: noise, and restart intervals of noise."""
    last_scan = data.rfind(bytes([0xFF, SOS]))
    restarts = len(_RESTART.findall(data, last_scan))
    noise = _noise()
    intervals = [
        bytes([0xFF, 0xD0 + (restarts + i) % 8]) + noise[i * _INTERVAL : (i + 1) * _INTERVAL]
        for i in range(_INTERVALS)
    ]
    half_of_a_pair = data.endswith(b"\xff")  # either of the end marker or of a stuffed byte
    return b"\0" * half_of_a_pair + noise + b"".join(intervals)


@cache
def _noise() -> bytes:
    """What a scan might go on with: no byte of it begins a marker, and its first bits are not those that libjpeg fills in."""
    return b"\xfe" + bytes(random.Random(0).randrange(255) for _ in range(16_383))


def segments(data: bytes) -> Iterator[Segment]:
    """The segments, over the data of scans, to the end marker or the first one that is cut off.

    Raises:
        UnreadableError: there are more than any encoder writes.
    """
    at = len(_START)
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if not found:
            return
        start, marker = found.start(), found[1][0]
        if marker == EOI:
            yield Segment(marker, start, found.end(), b"")
            return
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        if at > len(data) or at < found.end() + 2:
            return
        yield Segment(marker, start, at, data[found.end() + 2 : at])
    raise UnreadableError(f"it has more than {_MOST_SEGMENTS} parts")
