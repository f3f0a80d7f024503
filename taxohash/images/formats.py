"""Which images are read, how large, and how a refusal is worded."""

from taxohash.errors import TaxohashError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
# Pillow warns at this size and refuses at twice of it; our own limit comes first.
MAX_PIXELS = 40_000_000


class UnreadableError(Exception):
    """An image that is not read; its text is the reason, in a few words."""


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image by the size that its header tells.

    Raises:
        TaxohashError: it has more than `max_pixels` pixels.
    """
    if width * height > max_pixels:
        raise TaxohashError(
            f"image has {width} x {height} pixels, more than {max_pixels}: send a smaller one"
        )


def too_large(max_pixels: int) -> TaxohashError:
    """The refusal of an image so large that its size is not told."""
    return TaxohashError(f"image has more than {max_pixels} pixels: send a smaller one")


def cannot_decode(data: bytes, reason: str) -> TaxohashError:
    """The refusal of bytes that are no image we read."""
    return TaxohashError(
        f"image of {len(data)} bytes cannot be decoded ({reason}): send {', '.join(FORMATS)}"
    )
