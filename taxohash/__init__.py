"""taxohash: binary codes for image retrieval that keep a label hierarchy."""

__version__ = "0.1.0"
