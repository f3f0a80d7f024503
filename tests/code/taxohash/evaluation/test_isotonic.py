"""Pooling of adjacent violators against its closed form, and the curves that are made of it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.evaluation.isotonic import KNOTS, fitted, pooled

VALUES = st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 4)), min_size=1, max_size=12)


def naive(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> list[float]:
    """max over starts of min over ends of the weighted means: the isotonic regression in closed form."""

    def mean(first: int, last: int) -> float:
        part = slice(first, last + 1)
        return float((values[part] * weights[part]).sum() / weights[part].sum())

    count = len(values)
    return [
        max(min(mean(first, last) for last in range(i, count)) for first in range(i + 1))
        for i in range(count)
    ]


@given(VALUES)
def test_it_is_the_isotonic_regression(pairs: list[tuple[int, int]]) -> None:
    values, weights = (np.array(part, np.float64) for part in zip(*pairs, strict=True))
    assert pooled(values, weights) == pytest.approx(naive(values, weights))


OUTCOMES = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from([(False, False), (False, True), (True, True)])),
    min_size=1,
    max_size=400,
)


@given(OUTCOMES, st.booleans())
def test_curves_are_monotone_lie_inside_and_keep_the_order_of_levels(
    pairs: list[tuple[int, tuple[bool, bool]]], rises: bool
) -> None:
    scores = np.array([score for score, _ in pairs], np.float64)
    fine, coarse = (np.array([both[level] for _, both in pairs]) for level in (0, 1))
    curves = [fitted(scores, outcomes, rises) for outcomes in (fine, coarse)]
    asked = np.linspace(-1, 21, 89)
    below, above = (curve(asked) for curve in curves)
    for found, outcomes in ((below, fine), (above, coarse)):
        steps = np.diff(found) if rises else -np.diff(found)
        assert (steps >= -1e-6).all()
        if 0 < outcomes.mean() < 1:
            assert ((found > 0) & (found < 1)).all()
    assert (above >= below - 2e-6).all()


def test_a_curve_follows_the_shares_and_has_few_knots() -> None:
    random = np.random.default_rng(0)
    scores = random.random(50_000)
    curve = fitted(scores, random.random(50_000) < 1 - scores**2, rises=False)
    asked = np.linspace(0.02, 0.98, 50)
    assert np.abs(curve(asked) - (1 - asked**2)).max() < 0.05
    assert len(curve.scores) <= KNOTS


def test_few_outcomes_make_a_constant_curve() -> None:
    curve = fitted(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]), rises=False)
    assert curve.probabilities == pytest.approx((1 / 3,), abs=1e-6)
