"""A label tree by ranks: its labels in depth-first order, so that a subtree is an interval."""

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

Int32 = npt.NDArray[np.int32]


class Ranks:
    """The ranks of one version of a taxonomy.

    Attributes:
        ranks: int32[numbers]: of each label number; -1 for one that this version does not know.
    """

    def __init__(self, taxonomy: Taxonomy, numbers: Int32 | None = None) -> None:
        """`numbers` int32[labels]: the number of each label of the taxonomy, its index by default."""
        if numbers is None:
            numbers = np.arange(len(taxonomy), dtype=np.int32)
        if numbers.shape != (len(taxonomy),) or np.unique(numbers).size != len(taxonomy):
            raise TaxohashError(
                f"{len(taxonomy)} labels have {numbers.shape} numbers: give each label one of its own"
            )
        order = np.lexsort(taxonomy.ancestors.T[::-1])
        self.ranks = np.full(int(numbers.max()) + 1, -1, np.int32)
        self.ranks[numbers[order]] = np.arange(len(order))
        self._taxonomy = taxonomy
        self._intervals: dict[tuple[str, ...], tuple[int, int]] = {}
        for rank, label in enumerate(order.tolist()):
            path = taxonomy.paths[label]
            for depth in range(1, len(path) + 1):
                first, _ = self._intervals.get(path[:depth], (rank, rank))
                self._intervals[path[:depth]] = first, rank + 1

    def interval(self, node: str) -> tuple[int, int]:
        """The ranks of the labels below a node 'coarse/.../name': from the first to before the second.

        Raises:
            TaxohashError: no such node.
        """
        found = self._intervals.get(tuple(part for part in node.split("/") if part))
        if found is None:
            self._taxonomy.subtree(node)  # which says what there is
            raise TaxohashError(f"no node {node!r}")
        return found

    def unknown(self, numbers: Int32) -> npt.NDArray[np.bool_]:
        """bool[n]: which label numbers this version does not know."""
        inside = numbers < len(self.ranks)
        return ~inside | (self.ranks[np.where(inside, numbers, 0)] < 0)
