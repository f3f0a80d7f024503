"""The map of codes: how a generation places codes, and some of the items as they lie on it now."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.codestore import ItemLabels
from taxohash.taxonomy import Taxonomy

MOST = 2000  # items that are told
_DECIMALS = 4

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def spread(classes: npt.NDArray[np.integer[Any]], most: int) -> Integers:
    """Of items of the classes int[N] at most so many, int64[n] ascending: of each class the same number, or all that it has.

    Within a class they are drawn at random, always the same ones of the same items.
    """
    drawn = np.random.default_rng(0).permutation(len(classes))
    order = drawn[np.argsort(classes[drawn], kind="stable")]
    sizes = np.unique(classes, return_counts=True)[1]
    turns = np.arange(len(order)) - np.repeat(
        np.cumsum(sizes) - sizes, sizes
    )  # when each class has had its turn so often
    return np.sort(order[np.argsort(turns, kind="stable")[:most]])


def tops(taxonomy: Taxonomy, labels: ItemLabels) -> Integers:
    """int64[N]: the top-level class of the first label of each item, -1 of one that has none."""
    found = np.full(len(labels), -1)
    some = np.diff(labels.offsets) > 0
    found[some] = taxonomy.ancestors[labels.flat[labels.offsets[:-1][some]], 0]
    return found


def told(described: Iterable[dict[str, Any]], places: Floats) -> list[dict[str, Any]]:
    """Items as the map tells them, with their places float64[n, 2]."""
    rounded: Sequence[list[float]] = places.round(_DECIMALS).tolist()
    return [
        {"id": item["id"], "label_path": item["label_path"], "place": place}
        for item, place in zip(described, rounded, strict=True)
    ]
