"""JPEGs that are small as files and slow to decode; ITU-T T.81, annex B."""

import struct

BASELINE, PROGRESSIVE, ARITHMETIC, ARITHMETIC_PROGRESSIVE = 0xC0, 0xC2, 0xC9, 0xCA


def jpeg(
    width: int, height: int, process: int, components: int = 3, scans: int = 1, between: bytes = b""
) -> bytes:
    """A JPEG whose scans hold no data at all, which libjpeg takes for zeros.

    Args:
        process: marker of its frame, of which the second scan and later ones make sense only where it is progressive.
        between: segments before each scan.
    """
    own = range(1, components + 1)
    progressive = process in (PROGRESSIVE, ARITHMETIC_PROGRESSIVE)
    frame = struct.pack(">BHHB", 8, height, width, components) + b"".join(bytes([c, 0x11, 0]) for c in own)
    tables = segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10\1" + bytes(15) + b"\0")
    first = (
        bytes([components])
        + b"".join(bytes([c, 0]) for c in own)
        + (b"\0\0\0" if progressive else b"\0\x3f\0")
    )
    start = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + segment(process, frame) + tables
    more = [bytes([1, 1 + n % components, 0, 1, 63, 0]) for n in range(scans - 1)]
    return start + b"".join(between + segment(0xDA, scan) for scan in (first, *more)) + b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    """A marker of JPEG and what belongs to it."""
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body
