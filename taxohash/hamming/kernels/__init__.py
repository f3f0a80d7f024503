"""Kernels of the exact search: compiled, without objects, over arrays of words and bit planes."""

from taxohash.runtime import kernel_places

kernel_places.choose()  # before any of them imports numba
