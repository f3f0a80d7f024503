"""Which items are told on the map."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.codestore import ItemLabels
from services.retrieval.mapped import spread, tops
from tests.support.generations import TAXONOMY


def naive_shares(sizes: dict[int, int], most: int) -> list[int]:
    """How many of each class: one of each in turn, as long as there are some."""
    taken = dict.fromkeys(sizes, 0)
    while sum(taken.values()) < min(most, sum(sizes.values())):
        open_classes = [one for one in sizes if taken[one] < sizes[one]]
        least = min(open_classes, key=lambda one: taken[one])
        taken[least] += 1
    return sorted(taken.values())


@given(classes=st.lists(st.integers(-1, 4), max_size=60), most=st.integers(0, 40))
def test_each_class_has_as_many_or_all_that_it_has(classes: list[int], most: int) -> None:
    chosen = spread(np.array(classes, np.int64), most).tolist()
    assert chosen == sorted(set(chosen))
    found = Counter(classes[row] for row in chosen)
    sizes = dict(Counter(classes))
    assert sorted(found.get(one, 0) for one in sizes) == naive_shares(sizes, most)
    assert chosen == spread(np.array(classes, np.int64), most).tolist()


def test_within_a_class_no_place_is_preferred() -> None:
    chosen = spread(np.zeros(10_000, np.int64), 1000)
    assert abs(chosen.mean() - 5000) < 500


def test_an_item_counts_as_its_first_label_and_without_one_as_none() -> None:
    labels = ItemLabels.of(np.array([3, 0, 5, 1], np.int32), np.array([1, 0, 2, 0, 1]))
    names = [path[0] for path in TAXONOMY.class_paths(0)]
    found = [names[top] if top >= 0 else None for top in tops(TAXONOMY, labels).tolist()]
    assert found == ["cold", None, "warm", None, "warm"]
