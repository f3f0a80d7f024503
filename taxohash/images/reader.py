"""The current reader. What it gives for an image may change only with its version (see readers.py)."""

import io
from hashlib import blake2b

from PIL import Image, UnidentifiedImageError

from taxohash.errors import TaxohashError
from taxohash.images import jpeg, png, webp
from taxohash.images.exif import upright
from taxohash.images.flat import flatten
from taxohash.images.formats import UnreadableError, cannot_decode, check_size, too_large
from taxohash.images.strips import strips


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """See `taxohash.images.decode`."""
    try:
        if data.startswith(png.SIGNATURE):
            return _read_png(data, max_pixels)
        if data.startswith(jpeg.SIGNATURE):
            return _read_jpeg(data, max_pixels)
        if webp.is_webp(data):
            return _read_webp(data, max_pixels)
        return _read_other(data, max_pixels)
    except (TaxohashError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own, higher limits
        raise too_large(max_pixels) from None
    except UnreadableError as error:
        raise cannot_decode(data, str(error)) from None
    except Exception:  # Pillow raises whatever its decoders meet
        raise cannot_decode(data, "damaged or truncated") from None


def _open(data: bytes, formats: tuple[str, ...], max_pixels: int) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=formats)
    check_size(*image.size, max_pixels)
    # A JPEG can be decoded at a fraction of its size: enough for any network here, and much cheaper.
    image.draft(None, (1024, 1024))
    image.load()
    vars(image).pop("_decoder", None)  # libwebp's, with two pictures of its own
    return image


def _read_png(data: bytes, max_pixels: int) -> Image.Image:
    found = png.parse(data)
    check_size(found.header.width, found.header.height, max_pixels)
    return upright(png.picture(found), found.exif)


def _read_jpeg(data: bytes, max_pixels: int) -> Image.Image:
    plain, exif = jpeg.without_metadata(data)
    if header := jpeg.frame(plain):  # before Pillow, which warns of large ones
        check_size(header.width, header.height, max_pixels)
    return upright(flatten(_ended(plain, max_pixels) or _unended(plain, max_pixels)), exif)


def _read_webp(data: bytes, max_pixels: int) -> Image.Image:
    plain, exif = webp.without_metadata(data)
    return upright(flatten(_open(plain, ("WEBP",), max_pixels)), exif)


def _read_other(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = _open(data, ("GIF", "BMP"), max_pixels)
    except UnidentifiedImageError:
        raise UnreadableError("unknown format") from None
    flat = flatten(image)
    # Of a GIF, where its first frame lies.
    frame: tuple[int, int, int, int] | None = getattr(image, "dispose_extent", None)
    if frame in (None, (0, 0, *image.size)):
        return flat
    canvas = Image.new(flat.mode, flat.size, "white")  # it is transparent where the frame is not
    canvas.paste(flat.crop(frame), frame)
    return canvas


def _ended(data: bytes, max_pixels: int) -> Image.Image | None:
    """A JPEG; None where it cannot be read and lacks only its end, so that nothing of the attempt stays in memory."""
    try:
        return _open(data, ("JPEG",), max_pixels)
    except OSError:
        if not jpeg.lacks_only_its_end(data):
            raise
    return None


def _unended(data: bytes, max_pixels: int) -> Image.Image:
    """A JPEG without an end marker: whole if nothing that could have followed would change the picture."""
    changed = _fingerprint(_open(data + jpeg.more_scan_data(data) + jpeg.END, ("JPEG",), max_pixels))
    image = _open(data + jpeg.END, ("JPEG",), max_pixels)
    if _fingerprint(image) != changed:
        raise UnreadableError("truncated")
    return image


def _fingerprint(image: Image.Image) -> bytes:
    digest = blake2b()
    for box in strips(*image.size):
        digest.update(image.crop(box).tobytes())
    return digest.digest()
