"""Orientation: how a camera was held, from EXIF metadata (CIPA DC-008, section 4.6.4; TIFF 6.0, section 2).

Nothing else of the metadata is looked at, so that damage in it costs an image at most its orientation.
"""

import struct

from PIL import Image

PREFIX = b"Exif\0\0"  # of the metadata in a JPEG, and of some in a WebP
_ORIENTATION, _SHORT = 0x0112, 3  # a tag, a type
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, exif: bytes) -> Image.Image:
    """The image as its camera was held."""
    turn = _TURNS.get(orientation(exif))
    return image if turn is None else image.transpose(turn)


def orientation(exif: bytes) -> int:
    """The orientation in EXIF metadata, 1 to 8; 1, which is upright, where they do not tell it."""
    tiff = exif.removeprefix(PREFIX)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:  # cut off
        pass
    return 1
