"""Strips change no pixel of any picture, whatever their height, and cover it once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.images import decode, strips
from taxohash.images.readers import READERS
from tests.support.extremes import makers
from tests.support.pictures import every_picture

PICTURES = dict(every_picture()) | {name: make(23, 17) for name, make in makers() if "unended" not in name}


@pytest.mark.parametrize("version", READERS)
@pytest.mark.parametrize("name", PICTURES)
def test_strips_change_no_pixel(name: str, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode(PICTURES[name], version=version)
    for pixels in (1, 23, 100):
        monkeypatch.setattr(strips, "PIXELS", pixels)
        cut = decode(PICTURES[name], version=version)
        assert cut.mode == whole.mode
        assert np.array_equal(np.asarray(cut), np.asarray(whole))


@given(width=st.integers(1, 600_000), height=st.integers(1, 3000))
def test_each_row_is_in_one_strip(width: int, height: int) -> None:
    boxes = list(strips.strips(width, height))
    rows = [row for _, top, _, bottom in boxes for row in range(top, bottom)]
    assert rows == list(range(height))
    assert {(left, right) for left, _, right, _ in boxes} == {(0, width)}
    assert all(width * (bottom - top) <= strips.PIXELS or bottom == top + 1 for _, top, _, bottom in boxes)
