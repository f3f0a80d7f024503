"""Exact Hamming search over binary codes: top-k or radius, smallest distance first, ties by row."""

from taxohash.hamming.following import Following
from taxohash.hamming.index import HammingIndex
from taxohash.hamming.moment import Moment
from taxohash.hamming.selection import Selection

__all__ = ["Following", "HammingIndex", "Moment", "Selection"]
