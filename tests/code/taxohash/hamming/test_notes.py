"""Positions that searches have noted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.hamming.notes import positions, room


@given(st.data())
def test_the_last_so_many_are_known(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 9))
    rows = data.draw(st.lists(st.integers(0, 2**32 - 2), unique=True, max_size=12))
    noted = np.full((2, 1 + length), 7, np.uint32)
    noted[0, 0] = len(rows)
    for number, row in enumerate(rows):
        noted[:, 1 + number % length] = row, number
    kept = dict(list(zip(rows, range(len(rows)), strict=True))[-length:])
    asked = data.draw(st.permutations([*rows, 2**32 - 1]))
    assert positions(noted, np.array(asked)).tolist() == [kept.get(row, -1) for row in asked]


@pytest.mark.parametrize("made", [room(3, 5000), room(3, 1), room(3, 0)])
def test_at_first_nothing_is_known(made: np.ndarray[tuple[int, ...], np.dtype[np.uint32]]) -> None:
    assert len(made) == 3
    for noted in made:
        assert positions(noted, np.array([0, 5])).tolist() == [-1, -1]
        assert positions(noted, np.zeros(0, np.int64)).tolist() == []
