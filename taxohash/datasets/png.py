"""A PNG encoder for small grey images whose bytes depend on no library.

Pillow's bytes change with the zlib it was built with; here the pixels lie in one stored (uncompressed)
deflate block, and the Parquet file around them is what compresses. PNG 3rd edition, sections 5 and 11; RFC 1950, 1951.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_STORED_BLOCK = 65_535


def encode_grey(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode uint8[height, width] as an 8-bit greyscale PNG.

    Raises:
        ValueError: not two-dimensional, or more than one stored block holds (about 255 x 255).
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels are {pixels.dtype}{list(pixels.shape)}: give uint8[height, width]")
    height, width = pixels.shape
    scanlines = np.pad(pixels, ((0, 0), (1, 0))).tobytes()  # filter type 0 before every line
    length = len(scanlines)
    if length > _LARGEST_STORED_BLOCK:
        raise ValueError(
            f"image of {width} x {height} does not fit one stored block of {_LARGEST_STORED_BLOCK} bytes"
        )
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    stored = b"\x78\x01\x01" + struct.pack("<HH", length, length ^ 0xFFFF) + scanlines
    data = stored + struct.pack(">I", zlib.adler32(scanlines))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
