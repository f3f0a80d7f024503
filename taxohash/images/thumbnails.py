"""Thumbnails: a small picture of what the hasher sees, for pages."""

import io

from PIL import Image

from taxohash.images.png import shown_alike
from taxohash.images.readers import READER, decode

THUMBNAIL_PIXELS = 128
# An image this small is its own thumbnail, if every program shows it alike.
SMALL_BYTES = 4096
MOST_BYTES = (
    1 << 16
)  # of a thumbnail: noise of 64 x 64 pixels takes 13 KB without loss, of 128 x 128 with it 27 KB
# One of so few pixels loses nothing: the least loss would be seen.
EXACT_PIXELS = 64 * 64


def thumbnail(data: bytes, reader: int = READER) -> bytes:
    """A picture for the page, of what the hasher sees: the image itself if small, else a WebP of at most 128 px.

    Raises:
        TaxohashError: see `decode`.
    """
    return data if is_own_thumbnail(data) else drawn(decode(data, version=reader))


def is_own_thumbnail(data: bytes) -> bool:
    """Whether an image is small, and shown alike by every program."""
    return len(data) <= SMALL_BYTES and shown_alike(data, THUMBNAIL_PIXELS)


def drawn(image: Image.Image) -> bytes:
    """A WebP of at most 128 px of an image that `decode` gave, which is made small itself."""
    exact = image.width * image.height <= EXACT_PIXELS
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=exact, quality=80)
    return out.getvalue()
