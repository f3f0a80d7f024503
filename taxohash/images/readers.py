"""The versions of the reader: an image is read for a hasher as it was when the hasher learned."""

from collections.abc import Callable

from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images import reader, reader_1
from taxohash.images.formats import MAX_PIXELS

READER = 2  # what is used for everything new
READERS: dict[int, Callable[[bytes, int], Image.Image]] = {1: reader_1.decode, READER: reader.decode}


def check_reader(version: int) -> None:
    """Make sure that this is a version of the reader that is here.

    Raises:
        TaxohashError: it is not.
    """
    if version not in READERS:
        known = " and ".join(map(str, READERS))
        raise TaxohashError(
            f"images are to be read by reader {version!r}, and this version of taxohash has {known}: "
            "use the version that trained the hasher, or train and export it again"
        )


def decode(data: bytes, max_pixels: int = MAX_PIXELS, version: int = READER) -> Image.Image:
    """Decode one still image completely, turned upright, in mode L if it is stored as grey, else RGB.

    Of several frames it is the first, of an animated PNG the default image. Transparent parts lie on white, of 16
    bits the upper eight count, CMYK is taken for what Adobe writes, and gamma and colour profiles are ignored. What
    is not the picture itself, such as texts, profiles and most metadata, is not looked at, so it may be damaged.

    Args:
        version: of the reader; for a hasher that of its preprocessing (see `read_pixels`).

    Raises:
        TaxohashError: not one of the formats, truncated, damaged, or of more than `max_pixels` pixels,
            which is read from the header before anything is decoded.
        MemoryError: there is too little of it.
    """
    image = READERS[version](data, max_pixels)
    image.info = {}  # a profile there would go into every picture that is made of this one
    return image
