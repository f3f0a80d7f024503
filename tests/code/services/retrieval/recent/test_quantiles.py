"""Quantiles and stability beside naive loops."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.recent.quantiles import quantiles, stability

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


@given(
    st.lists(st.integers(0, 100), min_size=3, max_size=3),
    st.lists(st.integers(0, 100), min_size=3, max_size=3),
)
def test_stability_is_the_sum_over_bands(held: list[int], usual: list[int]) -> None:
    queries = max(sum(usual), 1)
    reference = np.asarray([usual], np.float64) / queries
    found = stability(np.asarray([held], np.float64), reference, np.asarray([float(queries)]))[0]
    if not sum(held):
        assert math.isnan(found)
        return
    expected = 0.0
    for count, before in zip(held, usual, strict=True):
        own, then = (count + 0.5) / (sum(held) + 1.5), (before + 0.5) / (queries + 1.5)
        expected += (own - then) * math.log(own / then)
    assert found == pytest.approx(expected)


def test_of_the_same_distribution_it_is_about_bands_by_values_and_of_another_it_is_large() -> None:
    random = np.random.default_rng(1)
    usual, many = np.full(8, 0.125), np.full(2000, 1e6)
    same = random.multinomial(500, usual, 2000)
    found = stability(same.astype(np.float64), np.tile(usual, (2000, 1)), many)
    assert found.mean() == pytest.approx(7 / 500, rel=0.1)
    assert found.max() < 0.1
    other = np.asarray([[0.0, 0, 0, 0, 100, 100, 100, 100]])
    assert stability(other, usual[None], many[:1])[0] > 0.25
    assert np.isnan(stability(other, np.full((1, 8), np.nan), many[:1])[0])
