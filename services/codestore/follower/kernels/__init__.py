"""Loops over packed ids and sets, compiled by numba; arguments are arrays, and nothing is checked."""

from taxohash.runtime import kernel_places

kernel_places.choose()  # before any of them imports numba
