"""WebP as Pillow and libwebp are to see it: the picture without the metadata around it (RFC 9649, section 2)."""

import struct

from taxohash.images.formats import UnreadableError

_STARTS = (b"RIFF", b"WEBP")
_EXTENDED, _EXIF = b"VP8X", b"EXIF"
_METADATA = {b"ICCP": 0x20, _EXIF: 0x08, b"XMP ": 0x04}  # and the flags of VP8X that announce them
_MOST_CHUNKS = 65_536


def is_webp(data: bytes) -> bool:
    """Whether it begins as WebP does."""
    return (data[:4], data[8:12]) == _STARTS


def without_metadata(data: bytes) -> tuple[bytes, bytes]:
    """The WebP without profile and metadata, and its EXIF metadata; what is cut off is left out.

    Raises:
        UnreadableError: there are more parts than any encoder writes.
    """
    kept, exif, at = [], b"", 12
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        start, at = at + 8, at + 8 + length + length % 2
        if start + length > end:
            break
        body = data[start : start + length]
        if kind == _EXIF:
            exif = exif or body
        elif kind == _EXTENDED and body:
            body = bytes([body[0] & ~sum(_METADATA.values())]) + body[1:]
        if kind not in _METADATA:
            kept.append(kind + struct.pack("<I", length) + body + b"\0" * (length % 2))
    else:
        raise UnreadableError(f"it has more than {_MOST_CHUNKS} parts")
    chunks = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks, exif
