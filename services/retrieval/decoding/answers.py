"""What becomes of a picture in a decoder: pixels, or why there are none."""

import io
import json

from PIL import Image, WebPImagePlugin

from services.retrieval.decoding import confinement
from services.retrieval.decoding.wire import THUMBNAIL, Bounds, Kind
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, decode, pixel_hash, to_array
from taxohash.images.thumbnails import drawn, is_own_thumbnail

_WARM_UP = Preprocessing(8, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def answer(preprocessing: bytes, picture: bytes, bounds: Bounds) -> tuple[Kind, bytes]:
    """The kind of the answer to a picture, and its body."""
    asked = json.loads(preprocessing)
    wants_thumbnail = asked.pop(THUMBNAIL, False)
    try:
        with confinement.at_most(bounds.seconds):
            body = _read(picture, Preprocessing.from_dict(asked), bounds.pixels, wants_thumbnail)
    except TaxohashError as error:
        return Kind.REFUSED, str(error).encode()
    except MemoryError:
        return Kind.MEMORY, b""
    except Exception as error:
        return Kind.FAULT, type(error).__name__.encode()
    return Kind.PIXELS, body


def _read(picture: bytes, preprocessing: Preprocessing, max_pixels: int, wants_thumbnail: bool) -> bytes:
    """Pixels, behind them their hash as `wire` says, and the thumbnail, if one is wanted and the picture is not its own."""
    image = decode(picture, max_pixels, preprocessing.reader)
    found = to_array(image, preprocessing).tobytes() + bytes.fromhex(pixel_hash(image, preprocessing.reader))
    return found + drawn(image) if wants_thumbnail and not is_own_thumbnail(picture) else found


def warm_up() -> None:
    """Load every codec and pay for first calls: what a picture takes is counted from here."""
    Image.preinit()
    assert WebPImagePlugin.SUPPORTED
    blank = io.BytesIO()
    Image.new("RGB", (9, 7)).save(blank, "PNG")
    _read(blank.getvalue(), _WARM_UP, 63, False)
    drawn(Image.new("RGB", (9, 7)))
