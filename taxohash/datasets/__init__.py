"""Data sets: an image table with its taxonomy in a folder."""

from taxohash.datasets.dataset import Dataset

__all__ = ["Dataset"]
