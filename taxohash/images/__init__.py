"""From the bytes of an image to the array a network takes. Pillow only: training and serving decode alike."""

from taxohash.images.cost import MOST_SCANS, Cost, cost, most_memory
from taxohash.images.flat import flatten
from taxohash.images.formats import FORMATS, MAX_PIXELS
from taxohash.images.pixel_hash import pixel_hash
from taxohash.images.preprocessing import (
    Picture,
    Pixels,
    Preprocessing,
    load_pixels,
    read_bytes,
    read_pixels,
    to_array,
)
from taxohash.images.readers import READER, decode

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "MOST_SCANS",
    "READER",
    "Cost",
    "Picture",
    "Pixels",
    "Preprocessing",
    "cost",
    "decode",
    "flatten",
    "load_pixels",
    "most_memory",
    "pixel_hash",
    "read_bytes",
    "read_pixels",
    "to_array",
]
