"""Recall of canaries, against all ways to break ties."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.release.recall import NEAREST, CanaryCodes, Catalogue, level_names, recall

BITS = 12
PATHS = (("tops", "shirt"), ("tops", "coat"), ("shoes",), ("bags", "leather", "small"))
LEVELS = 3


def codes_of(numbers: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([[number >> 4, (number & 15) << 4] for number in numbers], np.uint8).reshape(-1, 2)


def naive(distances: Sequence[int], relevant: Sequence[bool]) -> float:
    """The share of all ways to break ties in which one of the nearest is relevant."""
    most = min(NEAREST, len(distances))
    order = sorted(range(len(distances)), key=lambda i: distances[i])
    edge = distances[order[most - 1]]
    sure = [i for i in order if distances[i] < edge]
    tied = [i for i in order if distances[i] == edge]
    ways = [any(relevant[i] for i in (*sure, *drawn)) for drawn in combinations(tied, most - len(sure))]
    return sum(ways) / len(ways)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 0xFFF]), st.sampled_from([{2}, {2}, {2}, set(), {0}, {1, 3}])),
        min_size=8,
        max_size=16,
    )
    | st.just([(5, {0})]),
    st.sampled_from([0, 1, 0xFFE]),
    st.sampled_from([{PATHS[0]}, {PATHS[1], PATHS[3]}]),
)
def test_recall_is_that_of_all_ways_to_break_ties(
    items: list[tuple[int, set[int]]], code: int, wanted: set[tuple[str, ...]]
) -> None:
    numbers, labels = [number for number, _ in items], [sorted(own) for _, own in items]
    asked = CanaryCodes(codes_of([code]), [frozenset(wanted)])
    found = recall(
        Catalogue([f"item {i}" for i in range(len(numbers))], labels, PATHS, codes_of(numbers)),
        asked,
        BITS,
        LEVELS,
    )
    distances = [(number ^ code).bit_count() for number in numbers]
    for level in range(LEVELS):
        nodes = {path[: level + 1] for path in wanted}
        relevant = [any(PATHS[label][: level + 1] in nodes for label in own) for own in labels]
        assert found[0, level] == pytest.approx(naive(distances, relevant))


def test_of_many_at_one_distance_only_some_are_among_the_nearest() -> None:
    """One relevant item among twenty that are alike: ten of them are drawn."""
    some = Catalogue([f"item {i}" for i in range(20)], [(0,)] + [(2,)] * 19, PATHS, codes_of([0] * 20))
    found = recall(some, CanaryCodes(codes_of([1]), [frozenset([PATHS[0]])]), BITS, 1)
    assert found[0, 0] == pytest.approx(0.5)


def test_levels_without_a_name_go_by_number() -> None:
    asked = CanaryCodes(codes_of([1]), [frozenset(PATHS)], ("kind",))
    assert asked.depth == LEVELS
    assert level_names(asked, asked.depth) == ["kind", "level 2", "level 3"]
