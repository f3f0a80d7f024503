"""Codes as they are learned."""

import numpy as np

from taxohash.codes import Codes


def clustered(count: int, bits: int, groups: int) -> Codes:
    """Codes of items in turn of each of some groups, 3 % of bits from the group's middle: uint8[count, ceil(bits/8)]."""
    draw = np.random.default_rng(0)
    whole = np.packbits(np.ones(bits, np.bool_))
    middles = draw.integers(0, 256, (groups, whole.size), np.uint8)
    noise = np.packbits(draw.random((count, 8 * whole.size), np.float32) < 0.03, axis=1)
    codes: Codes = (middles[np.arange(count) % groups] ^ noise) & whole
    return codes
