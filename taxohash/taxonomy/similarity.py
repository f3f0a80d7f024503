"""How much alike the labels of a tree are, by its heights or depths; trees of one depth have one answer, ragged ones more."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from taxohash.taxonomy.tree import Taxonomy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Node = tuple[str, ...]


@dataclass(frozen=True)
class TreeSimilarity:
    """A similarity of the labels of a tree that needs no square of them.

    How alike two labels are is decided by the levels on which they agree, and by a row of the one and a kind of the
    other.

    Attributes:
        taxonomy: whose labels they are.
        table: float64[R, T, K + 1]: by row, kind and levels agreed on.
        row, kind: int64[labels].
    """

    taxonomy: Taxonomy
    table: Floats
    row: Ints
    kind: Ints

    def square(self) -> Floats:
        """float64[labels, labels], for trees that are small."""
        square: Floats = self.table[self.row[:, None], self.kind, self.taxonomy.agreement]
        return square

    def values(self) -> Floats:
        """float64[G]: the different values that pairs of labels have, ascending."""
        kinds = self.table.shape[1]
        found = []
        # Labels of every kind that agree with a label on at least this many levels, int64[labels, T].
        agreeing = np.broadcast_to(np.bincount(self.kind, minlength=kinds), (len(self.row), kinds))
        for levels in range(self.taxonomy.depth + 1):
            deeper = np.zeros_like(agreeing)
            if levels < self.taxonomy.depth:
                classes = self.taxonomy.ancestors[:, levels].astype(np.int64)
                cells = self.taxonomy.class_count(levels) * kinds
                counts = np.bincount(classes * kinds + self.kind, minlength=cells)
                deeper = counts.reshape(-1, kinds)[classes]
            found.append(np.unique(self.table[self.row, :, levels][agreeing > deeper]))
            agreeing = deeper
        return np.unique(np.concatenate(found))


def by_height(taxonomy: Taxonomy) -> TreeSimilarity:
    """1 - height(nearest common ancestor) / height(root) (Barz and Denzler, WACV 2019).

    The height of a node is the longest way down to a leaf; the root above the first level counts.
    """
    heights, labels = _heights(taxonomy), len(taxonomy)
    table = 1.0 - heights[:, None] / taxonomy.depth
    return TreeSimilarity(taxonomy, table, np.arange(labels), np.zeros(labels, np.int64))


def by_wup(taxonomy: Taxonomy) -> TreeSimilarity:
    """Wu and Palmer: 2 depth(nearest common ancestor) / (depth(a) + depth(b)), the root having depth 1."""
    depths, kind = np.unique(taxonomy.lengths, return_inverse=True)
    # A label agrees with itself on all levels, and its path may be shorter.
    shared = np.minimum(np.arange(taxonomy.depth + 1), np.minimum(depths[:, None], depths)[:, :, None])
    table = 2.0 * (shared + 1) / ((depths[:, None] + 1) + (depths + 1))[:, :, None]
    return TreeSimilarity(taxonomy, table, kind, kind)


def height_similarity(taxonomy: Taxonomy) -> Floats:
    """`by_height` of all pairs, float64[labels, labels]."""
    return by_height(taxonomy).square()


def levels_by_height(taxonomy: Taxonomy) -> Taxonomy:
    """The tree with a level for each height: short paths are completed where they are near the root.

    Two labels agree on as many levels as their height similarity says: `agreement / depth` of the result is
    `height_similarity` of the tree. The nearest ancestor stands in for one missing between it and a leaf, so
    that siblings are close whether their branch is deep or not.
    """

    def lifted(path: Node, heights: list[int]) -> Node:
        names, depth = [], 1
        for height in reversed(range(taxonomy.depth)):
            while heights[depth] > height:  # the highest node of the path that is no higher than the level
                depth += 1
            names.append(path[depth - 1])
        return tuple(names)

    paths = zip(taxonomy.paths, _heights(taxonomy).tolist(), strict=True)
    return replace(taxonomy, paths=tuple(lifted(path, heights) for path, heights in paths), level_names=())


def _heights(taxonomy: Taxonomy) -> Ints:
    """int64[labels, K + 1]: height of the node at every depth of a label's path, from the root; 0 below its end."""
    lengths = taxonomy.lengths
    heights = np.full((len(taxonomy), taxonomy.depth + 1), taxonomy.depth)
    for level, classes in enumerate(taxonomy.ancestors.T):
        longest = np.zeros(taxonomy.class_count(level), np.int64)
        np.maximum.at(longest, classes, lengths)
        heights[:, level + 1] = np.maximum(longest[classes] - (level + 1), 0)
    return heights
