"""The cut-off of the default protocol."""

import numpy as np
import pytest

from taxohash.protocols.definitions import superclass_size
from taxohash.taxonomy import Taxonomy


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
