"""What becomes of a picture in a decoder: pixels, or why there are none."""

import io
import json

from PIL import Image, WebPImagePlugin

from services.retrieval.decoding import confinement
from services.retrieval.decoding.wire import Bounds, Kind
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, read_pixels

_WARM_UP = Preprocessing(8, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def answer(preprocessing: bytes, picture: bytes, bounds: Bounds) -> tuple[Kind, bytes]:
    """The kind of the answer to a picture, and its body."""
    try:
        with confinement.at_most(bounds.seconds):
            pixels = read_pixels(picture, Preprocessing.from_dict(json.loads(preprocessing)), bounds.pixels)
    except TaxohashError as error:
        return Kind.REFUSED, str(error).encode()
    except MemoryError:
        return Kind.MEMORY, b""
    except Exception as error:
        return Kind.FAULT, type(error).__name__.encode()
    return Kind.PIXELS, pixels.tobytes()


def warm_up() -> None:
    """Load every codec and pay for first calls: what a picture takes is counted from here."""
    Image.preinit()
    assert WebPImagePlugin.SUPPORTED
    blank = io.BytesIO()
    Image.new("RGB", (9, 7)).save(blank, "PNG")
    read_pixels(blank.getvalue(), _WARM_UP)
