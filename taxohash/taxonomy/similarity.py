"""How much alike the labels of a tree are, by its heights or depths; trees of one depth have one answer, ragged ones more."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taxohash.taxonomy.tree import Taxonomy

Floats = npt.NDArray[np.float64]
Node = tuple[str, ...]


def height_similarity(taxonomy: Taxonomy) -> Floats:
    """1 - height(nearest common ancestor) / height(root), float64[labels, labels] (Barz and Denzler, WACV 2019).

    The height of a node is the longest way down to a leaf; the root above the first level counts.
    """
    heights = _heights(taxonomy)
    table = np.array(
        [[heights.get(path[:depth], 0) for depth in range(taxonomy.depth + 1)] for path in taxonomy.paths]
    )
    similarity: Floats = (
        1.0 - table[np.arange(len(taxonomy))[:, None], _common_depths(taxonomy)] / taxonomy.depth
    )
    return similarity


def wup_similarity(taxonomy: Taxonomy) -> Floats:
    """Wu and Palmer: 2 depth(nearest common ancestor) / (depth(a) + depth(b)), the root having depth 1."""
    depths = np.array([len(path) for path in taxonomy.paths]) + 1
    similarity: Floats = 2.0 * (_common_depths(taxonomy) + 1) / (depths[:, None] + depths)
    return similarity


def levels_by_height(taxonomy: Taxonomy) -> Taxonomy:
    """The tree with a level for each height: short paths are completed where they are near the root.

    Two labels agree on as many levels as their height similarity says: `agreement / depth` of the result is
    `height_similarity` of the tree. The nearest ancestor stands in for one missing between it and a leaf, so
    that siblings are close whether their branch is deep or not.
    """
    heights = _heights(taxonomy)

    def lifted(path: Node) -> Node:
        names = []
        for height in reversed(range(taxonomy.depth)):
            # The highest node of the path that is no higher than the level.
            names.append(next(path[d - 1] for d in range(1, len(path) + 1) if heights[path[:d]] <= height))
        return tuple(names)

    return replace(taxonomy, paths=tuple(lifted(path) for path in taxonomy.paths), level_names=())


def _heights(taxonomy: Taxonomy) -> dict[Node, int]:
    heights: defaultdict[Node, int] = defaultdict(int)
    for path in taxonomy.paths:
        for depth in range(len(path) + 1):
            heights[path[:depth]] = max(heights[path[:depth]], len(path) - depth)
    return dict(heights)


def _common_depths(taxonomy: Taxonomy) -> npt.NDArray[np.int64]:
    """int64[labels, labels]: names that two paths share from the top, as given, not completed downwards."""
    depths = np.array([len(path) for path in taxonomy.paths])
    shared: npt.NDArray[np.int64] = np.minimum(taxonomy.agreement, np.minimum(depths[:, None], depths))
    return shared
