"""Labels of items in the words of one generation: a collection numbers them, a generation knows those of its taxonomy."""

import numpy as np
import numpy.typing as npt

from services.codestore import ItemLabels


def said(labels: ItemLabels, known: npt.NDArray[np.int32]) -> tuple[ItemLabels, npt.NDArray[np.bool_]]:
    """Label numbers as labels of a taxonomy, without those that it cannot say; and bool[N], which items lost one.

    Args:
        known: int32[numbers], the label of each number, -1 where there is none; see LabelNumbers.labels. A number beyond
            it came with a later version of the collection's taxonomy.
    """
    found = np.append(known, np.int32(-1))[np.minimum(labels.flat, len(known))]
    kept = found >= 0
    counts = np.bincount(labels.owners[kept], minlength=len(labels))
    return ItemLabels.of(found[kept], counts), counts < np.diff(labels.offsets)
