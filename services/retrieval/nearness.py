"""Whether searches are like anything that the generation was measured on: a share of them that is far from everything is drift."""

from collections.abc import Callable
from typing import Any

import numpy as np

from services import metrics
from taxohash.generation.manifest import Generation

# Of the queries of its evaluation. Where codes gather at those of their classes most queries have one at distance 0, a few are anywhere,
# and pictures of other kinds are too: 48 bits trained on half of the classes of CIFAR-100 had 19 % of the others beyond this share,
# and less than 1 % beyond 99 in 100.
_USUAL = 0.9
_NEARNESSES = ("near", "far")


def reach(generation: Generation) -> int:
    """The Hamming distance within which nine of ten queries of a generation's evaluation have their nearest code.

    The generation tells how many lie at each distance. All distances are within reach of one that does not.
    """
    counts = np.asarray(generation.reference.get("nearest_distance") or [], np.float64)
    if not counts.sum():
        return generation.bits
    return int(np.argmax(counts.cumsum() >= _USUAL * counts.sum()))


def count(answer: dict[str, Any], within_reach: int, nearest: Callable[[], int]) -> None:
    """Count a search by how near its nearest item is. One below a node is not counted: what it looks for may lie elsewhere.

    Args:
        nearest: the Hamming distance of the nearest item, which by weights need not be among the answers; asked for
            where none of them is within reach.
    """
    if answer["within"] or not answer["results"]:
        return
    least = min(result["distance"] for result in answer["results"])
    if least > within_reach and answer["ranking"] != "hamming":
        least = nearest()
    found = "far" if least > within_reach else "near"
    for nearness in _NEARNESSES:  # each begins at 0, so that the first of its kind is an increase
        metrics.SEARCHES_ANSWERED.labels(nearness, answer["generation"]).inc(nearness == found)
