"""Label numbers in the words of one generation's taxonomy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.codestore import ItemLabels
from services.retrieval.labels import said

NUMBERS = 6


@given(
    st.lists(st.lists(st.integers(0, NUMBERS + 2), max_size=4)),  # some of a later version
    st.lists(st.integers(-1, 3), min_size=NUMBERS, max_size=NUMBERS),
)
def test_numbers_become_labels_and_what_cannot_be_said_is_told(
    own: list[list[int]], known: list[int]
) -> None:
    flat = np.array([number for numbers in own for number in numbers], np.int32)
    labels = ItemLabels.of(flat, np.array([len(numbers) for numbers in own], np.int64))
    found, lost = said(labels, np.array(known, np.int32))
    said_by = dict(enumerate(known))
    expected = [[said_by[number] for number in numbers if said_by.get(number, -1) >= 0] for numbers in own]
    assert [found[item].tolist() for item in range(len(found))] == expected
    assert found.flat.dtype == np.int32
    assert lost.tolist() == [len(a) < len(b) for a, b in zip(expected, own, strict=True)]
