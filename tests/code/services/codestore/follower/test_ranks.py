"""A subtree is an interval of ranks, whatever numbers the labels have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.follower.ranks import Ranks
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
        lambda names: (*names[:-1], "leaf " + names[-1])
    ),
    min_size=1,
    unique=True,
)


@given(PATHS)
def test_intervals_hold_the_labels_of_subtrees(paths: list[tuple[str, ...]]) -> None:
    tree = Taxonomy("t", tuple(paths))
    numbers = np.random.default_rng(len(paths)).permutation(3 * len(paths))[: len(paths)].astype(np.int32)
    ranks = Ranks(tree, numbers)
    everything = np.arange(3 * len(paths) + 2, dtype=np.int32)
    np.testing.assert_array_equal(ranks.unknown(everything), ~np.isin(everything, numbers))
    for node in {path[:depth] for path in paths for depth in range(1, len(path) + 1)}:
        low, high = ranks.interval("/".join(node))
        below = np.flatnonzero((ranks.ranks >= low) & (ranks.ranks < high))
        np.testing.assert_array_equal(below, np.sort(numbers[tree.subtree("/".join(node))]))


def test_a_node_that_is_none_is_named() -> None:
    ranks = Ranks(Taxonomy("t", (("a", "b"), ("c",))))
    assert ranks.interval("/a/") == ranks.interval("a/b") == (0, 1)
    for node in ("b", "a/b/c", "", "/"):
        with pytest.raises(TaxohashError, match=f"no node {node!r}"):
            ranks.interval(node)
