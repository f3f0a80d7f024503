"""Loops over packed ids and sets, compiled by numba; arguments are arrays, and nothing is checked."""
