"""The map of codes: how a generation places codes, and some of the items as they lie on it now."""

from bisect import bisect_right
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
    """Of items of the classes int[N], each -1 or more, at most so many, int64[n] ascending: of each class the same number, or all that it has.

    Within a class they are evenly spaced.
    """
    sizes = np.bincount(classes + 1)
    ends = np.cumsum(sizes)
    short = np.uint16 if len(sizes) <= 2**16 else np.int64  # which is sorted in linear time
    order = np.argsort((classes + 1).astype(short), kind="stable")
    chosen = [
        order[end - size + np.linspace(0, size - 1, share).astype(np.int64)]
        for end, size, share in zip(ends, sizes, shares(sizes, most), strict=True)
        if share
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))


def shares(sizes: npt.NDArray[np.integer[Any]], most: int) -> Integers:
    """How many each of several classes of int[C] items gives, int64[C], at most so many together: the same number, or all that it has."""

    def taken(level: int) -> int:
        return int(np.minimum(sizes, level).sum())

    level = bisect_right(range(most + 1), most, key=taken) - 1
    found: Integers = np.minimum(sizes, level).astype(np.int64)
    larger = np.flatnonzero(sizes > level)
    found[larger[: most - taken(level)]] += 1
    return found


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
