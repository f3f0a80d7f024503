"""What a decoder and its owner say to each other over a socket: fixed heads, and bytes behind them.

The decoder says that it is ready and gets its bounds; then it gets pictures and answers each.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

REQUEST = struct.Struct("<IIQ")  # its number, bytes of the preprocessing as JSON, bytes of the picture
THUMBNAIL = "thumbnail"  # beside the fields of the preprocessing: true where one is wanted too
ANSWER = struct.Struct("<IBI")  # number of its request, a Kind, bytes that follow
HASH_BYTES = 8
BOUNDS = struct.Struct("<QdIQ")


class Kind(IntEnum):
    """Of an answer."""

    READY = 0
    # uint8[C, H, W]; behind them the HASH_BYTES of the picture's `pixel_hash`, and the thumbnail, where one is wanted and the picture
    # is not its own
    PIXELS = 1
    REFUSED = 2  # one sentence: it is no picture that we read
    MEMORY = 3  # it needs more than there is
    FAULT = 4  # the name of an exception that nobody foresaw


class Bounds(NamedTuple):
    """What a decoder may take.

    Attributes:
        memory: bytes, beyond what it has when it starts.
        seconds: of CPU for a picture; it is ended when it takes more.
        niceness: how much it stands back for others, 0 to 19.
        pixels: of a picture, width times height.
    """

    memory: int
    seconds: float
    niceness: int
    pixels: int

    def pack(self) -> bytes:
        return BOUNDS.pack(*self)

    @classmethod
    def unpack(cls, data: bytes) -> "Bounds":
        return cls(*BOUNDS.unpack(data))
