"""One decoder: `python -m services.retrieval.decoding.process`, its standard input a socket to its owner.

It ends when the other end of the socket is closed.
"""

import io
import json
import socket

from PIL import Image, WebPImagePlugin

from services.retrieval.decoding import confinement
from services.retrieval.decoding.wire import ANSWER, BOUNDS, REQUEST, Bounds, Kind
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, read_pixels

_WARM_UP = Preprocessing(8, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def main() -> None:
    """Answer requests until there are no more."""
    confinement.end_with_owner()
    warm_up()
    with socket.socket(fileno=0) as channel, channel.makefile("rb") as requests:
        channel.sendall(ANSWER.pack(0, Kind.READY, 0))
        said = requests.read(BOUNDS.size)
        if len(said) < BOUNDS.size:
            return
        bounds = Bounds.unpack(said)
        confinement.confine(bounds)
        while len(head := requests.read(REQUEST.size)) == REQUEST.size:
            number, length, size = REQUEST.unpack(head)
            kind, body = answer(requests.read(length), requests.read(size), bounds)
            channel.sendall(ANSWER.pack(number, kind, len(body)))
            channel.sendall(body)


def answer(preprocessing: bytes, picture: bytes, bounds: Bounds) -> tuple[Kind, bytes]:
    """What becomes of a picture: pixels, or why there are none."""
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


if __name__ == "__main__":
    main()
