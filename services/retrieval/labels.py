"""Labels of items in the words of one generation: a collection numbers them, a generation knows those of its taxonomy."""

import numpy as np
import numpy.typing as npt

from services.codestore import ItemLabels


def said(labels: ItemLabels, known: npt.NDArray[np.int32]) -> tuple[ItemLabels, int]:
    """Label numbers as labels of a taxonomy, without those that it cannot say; and how many items lost one.

    Args:
        known: int32[numbers], the label of each number, -1 where there is none; see LabelNumbers.labels.
    """
    found = known[labels.flat]
    kept = found >= 0
    counts = np.bincount(labels.owners[kept], minlength=len(labels))
    lost = np.count_nonzero(counts < np.diff(labels.offsets))
    return ItemLabels.of(found[kept], counts), int(lost)
