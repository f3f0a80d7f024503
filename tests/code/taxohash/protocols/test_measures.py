"""Similarities of classes by hand, and the cut-off of the default protocol."""

import numpy as np
import pytest

from taxohash.protocols.definitions import superclass_size
from taxohash.protocols.measures import height_similarity, wup_similarity
from taxohash.taxonomy import Taxonomy

#        root (height 3)
#       /            \
#   a (height 2)      d: a leaf
#    /      \
#  b: leaf   c (height 1) - c1, c2
RAGGED = Taxonomy("ragged", (("a", "b"), ("a", "c", "c1"), ("a", "c", "c2"), ("d",)))


def test_height_similarity() -> None:
    expected = np.array([[3, 1, 1, 0], [1, 3, 2, 0], [1, 2, 3, 0], [0, 0, 0, 3]]) / 3
    np.testing.assert_allclose(height_similarity(RAGGED), expected)


def test_wup_similarity() -> None:
    # Depths: root 1, a and d 2, b and c 3, c1 and c2 4.
    expected = [
        [1, 4 / 7, 4 / 7, 2 / 5],
        [4 / 7, 1, 6 / 8, 2 / 6],
        [4 / 7, 6 / 8, 1, 2 / 6],
        [2 / 5, 2 / 6, 2 / 6, 1],
    ]
    np.testing.assert_allclose(wup_similarity(RAGGED), expected)


@pytest.mark.parametrize(
    ("paths", "labels", "size"),
    [
        ((("x", "p"), ("x", "q"), ("y", "r"), ("z", "s")), [0, 0, 1, 2, 3, 3], 2),
        ((("root", "p"), ("root", "q"), ("root", "r")), [0, 0, 0, 1, 1, 2], 2),  # one superclass says nothing
        ((("x", "p"), ("y", "q")), [0, 0, 0], 3),  # classes the database lacks do not count
    ],
)
def test_superclass_size(paths: tuple[tuple[str, ...], ...], labels: list[int], size: int) -> None:
    assert superclass_size(np.array(labels), Taxonomy("t", paths)) == size
