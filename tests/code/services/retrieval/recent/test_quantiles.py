"""Quantiles beside a naive loop."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.recent.quantiles import quantiles

UPPERS = st.lists(st.integers(1, 1000), min_size=1, max_size=6, unique=True).map(
    lambda drawn: [*(own / 100 for own in sorted(drawn)), math.inf]
)


def naive_quantile(q: float, uppers: Sequence[float], held: Sequence[int]) -> float:
    """The value below which a share q lies, where those of a bucket lie evenly in it."""
    wanted, lower = q * sum(held), 0.0
    if not sum(held):
        return math.nan
    for upper, count in zip(uppers, held, strict=True):
        if count and wanted <= count:
            return uppers[-2] if math.isinf(upper) else lower + (upper - lower) * wanted / count
        wanted -= count
        lower = upper
    raise AssertionError


@given(UPPERS, st.data(), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles_are_those_of_evenly_filled_buckets(
    uppers: list[float], data: st.DataObject, q: float
) -> None:
    rows = data.draw(
        st.lists(st.lists(st.integers(0, 50), min_size=len(uppers), max_size=len(uppers)), max_size=5)
    )
    counts = np.cumsum(np.asarray(rows, np.float64).reshape(len(rows), len(uppers)), axis=1)
    found = quantiles(q, np.asarray(uppers), counts)
    expected = [naive_quantile(q, uppers, row) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_buckets_that_were_read_in_the_middle_of_an_observation() -> None:
    found = quantiles(0.5, np.asarray([1.0, 2.0, np.inf]), np.asarray([[3.0, 2.0, 2.0]]))
    assert found == pytest.approx([0.5])


def test_without_buckets_nothing_is_known() -> None:
    assert np.isnan(quantiles(0.5, np.asarray([np.inf]), np.asarray([[3.0]]))).all()
