"""Kernels of the exact search: compiled, without objects, over arrays of words and bit planes."""
