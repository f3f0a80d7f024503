"""Similarities of the labels of ragged trees, by hand and on any tree."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import (
    by_height,
    by_wup,
    height_similarity,
    levels_by_height,
)
from tests.code.taxohash.taxonomy.test_tree import paths

#        root (height 3)
#       /            \
#   a (height 2)      d: a leaf
#    /      \
#  b: leaf   c (height 1) - c1, c2
RAGGED = Taxonomy("ragged", (("a", "b"), ("a", "c", "c1"), ("a", "c", "c2"), ("d",)))
CIFAR100 = Path("benchmarks/trees/cifar100-barz.json")


def test_height_similarity() -> None:
    expected = np.array([[3, 1, 1, 0], [1, 3, 2, 0], [1, 2, 3, 0], [0, 0, 0, 3]]) / 3
    np.testing.assert_allclose(height_similarity(RAGGED), expected)


def test_wu_and_palmers_similarity() -> None:
    # Depths: root 1, a and d 2, b and c 3, c1 and c2 4.
    expected = [
        [1, 4 / 7, 4 / 7, 2 / 5],
        [4 / 7, 1, 6 / 8, 2 / 6],
        [4 / 7, 6 / 8, 1, 2 / 6],
        [2 / 5, 2 / 6, 2 / 6, 1],
    ]
    np.testing.assert_allclose(by_wup(RAGGED).square(), expected)


def test_a_level_for_each_height() -> None:
    assert levels_by_height(RAGGED).paths == (
        ("a", "b", "b"),
        ("a", "c", "c1"),
        ("a", "c", "c2"),
        ("d", "d", "d"),
    )
    # The branch that is not deep: its labels are siblings, as those of the deep one are.
    shallow = Taxonomy("t", (("a", "b", "c", "d"), ("a", "b", "c", "e"), ("x", "y"), ("x", "z")))
    assert levels_by_height(shallow).paths[2:] == (("x", "x", "x", "y"), ("x", "x", "x", "z"))


@given(paths)
def test_levels_by_height_agree_as_heights_do(found: list[tuple[str, ...]]) -> None:
    tree = Taxonomy("any", tuple(found))
    levels = levels_by_height(tree)
    np.testing.assert_allclose(levels.similarity, height_similarity(tree))
    np.testing.assert_allclose(height_similarity(levels), height_similarity(tree))


def common(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Names that two paths share from the top."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


@given(paths)
def test_similarities_by_definition(found: list[tuple[str, ...]]) -> None:
    tree = Taxonomy("any", tuple(found))
    for i, a in enumerate(found):
        for j, b in enumerate(found):
            shared = common(a, b)
            height = max(len(path) - shared for path in found if path[:shared] == a[:shared])
            assert height_similarity(tree)[i, j] == 1.0 - height / tree.depth
            assert by_wup(tree).square()[i, j] == 2.0 * (shared + 1) / (len(a) + 1 + len(b) + 1)


@given(paths)
def test_the_values_that_pairs_have(found: list[tuple[str, ...]]) -> None:
    tree = Taxonomy("any", tuple(found))
    for similarity in (by_height(tree), by_wup(tree)):
        assert similarity.values().tolist() == np.unique(similarity.square()).tolist()


@pytest.mark.parametrize(
    ("first", "second", "height"),
    [("maple_tree", "oak_tree", 1), ("mountain", "sea", 1), ("wolf", "fox", 1), ("wolf", "tiger", 2),
     ("wolf", "rabbit", 3), ("bed", "chair", 2), ("girl", "woman", 2), ("wolf", "road", 8)],
)  # fmt: skip
def test_barz_and_denzlers_tree_of_cifar100(first: str, second: str, height: int) -> None:
    tree = Taxonomy.load(CIFAR100)
    nodes = {path[:depth] for path in tree.paths for depth in range(len(path) + 1)}
    assert (tree.depth, len(tree), len(nodes)) == (8, 100, 163)
    names = [path[-1] for path in tree.paths]
    assert height_similarity(tree)[names.index(first), names.index(second)] == 1 - height / 8
