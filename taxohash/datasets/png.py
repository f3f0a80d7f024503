"""PNG for small grey images, with bytes that depend on no library, and quick to read back.

Pillow's bytes change with the zlib it was built with; here the pixels lie in one stored (uncompressed)
deflate block, and the Parquet file around them is what compresses. PNG 3rd edition, sections 5 and 11; RFC 1950, 1951.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_STORED_BLOCK = 65_535
_PIXELS_AT = 48  # signature 8, IHDR 25, IDAT's length and type 8, zlib header 2, stored block's header 5
_AFTER_PIXELS = 20  # Adler-32 4, IDAT's CRC 4, IEND 12


def encode_grey(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode uint8[height, width] as an 8-bit greyscale PNG.

    Raises:
        ValueError: not two-dimensional, or more than one stored block holds (about 255 x 255).
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels are {pixels.dtype}{list(pixels.shape)}: give uint8[height, width]")
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # filter type 0 before every line
    lines[:, 1:] = pixels
    scanlines = lines.tobytes()
    length = len(scanlines)
    if length > _LARGEST_STORED_BLOCK:
        raise ValueError(
            f"image of {width} x {height} does not fit one stored block of {_LARGEST_STORED_BLOCK} bytes"
        )
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    stored = b"\x78\x01\x01" + struct.pack("<HH", length, length ^ 0xFFFF) + scanlines
    data = stored + struct.pack(">I", zlib.adler32(scanlines))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def decode_grey(data: bytes) -> npt.NDArray[np.uint8] | None:
    """uint8[height, width] if `data` is just what `encode_grey` writes, checksums included; else None.

    About ten times as quick as a general decoder, which matters for tens of thousands of small images.
    """
    if len(data) < _PIXELS_AT or not data.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack_from(">II", data, 16)
    length = height * (width + 1)
    if (
        0 in (width, height)
        or length > _LARGEST_STORED_BLOCK
        or len(data) != _PIXELS_AT + length + _AFTER_PIXELS
    ):
        return None
    pixels = np.frombuffer(data, np.uint8, length, offset=_PIXELS_AT).reshape(height, width + 1)[:, 1:]
    return pixels if encode_grey(pixels) == data else None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
