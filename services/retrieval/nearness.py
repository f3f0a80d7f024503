"""Whether searches are like anything that the generation was measured on: a share of them that is far from everything is drift."""

import numpy as np

from taxohash.generation.manifest import Generation

# Of the queries of its evaluation. Where codes gather at those of their classes most queries have one at distance 0, a few are anywhere,
# and pictures of other kinds are too: 48 bits trained on half of the classes of CIFAR-100 had 19 % of the others beyond this share,
# and less than 1 % beyond 99 in 100.
USUAL = 0.9


def reach(generation: Generation) -> int:
    """The Hamming distance within which nine of ten queries of a generation's evaluation have their nearest code.

    The generation tells how many lie at each distance. All distances are within reach of one that does not.
    """
    counts = np.asarray(generation.reference.get("nearest_distance") or [], np.float64)
    if not counts.sum():
        return generation.bits
    return int(np.argmax(counts.cumsum() >= USUAL * counts.sum()))
