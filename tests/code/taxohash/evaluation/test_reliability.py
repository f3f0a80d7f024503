"""Calibration error and skill against what they are by definition."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.evaluation.reliability import reliability

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=60
)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    return np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])


def naive(predicted: npt.NDArray[np.float64], outcomes: npt.NDArray[np.bool_], bins: int) -> float:
    """Every prediction cut into `bins` pieces, each with the mean outcome of those equal to it; the pieces dealt out in order."""
    order = np.argsort(predicted, kind="stable")
    means = np.array([outcomes[predicted == p].mean() for p in predicted])
    pieces = [(predicted[i], means[i]) for i in order for _ in range(bins)]
    size = len(predicted)
    parts = [pieces[b * size : (b + 1) * size] for b in range(bins)]
    return float(np.mean([abs(np.mean([p - y for p, y in part])) for part in parts]))


@given(PAIRS, st.integers(1, 15))
def test_the_error_is_that_of_bins_of_equal_mass(pairs: list[tuple[float, bool]], bins: int) -> None:
    predicted, outcomes = arrays(pairs)
    found = reliability(predicted, outcomes, bins)
    assert found.error == pytest.approx(naive(predicted, outcomes, bins), abs=1e-9)
    assert found.observed.mean() == pytest.approx(outcomes.mean())
    assert found.predicted.mean() == pytest.approx(predicted.mean())
    assert (np.diff(found.predicted) >= -1e-9).all()


@given(PAIRS)
def test_the_skill_is_the_gain_over_the_base_rate(pairs: list[tuple[float, bool]]) -> None:
    predicted, outcomes = arrays(pairs)
    found = reliability(predicted, outcomes)
    base = sum(outcomes) / len(outcomes)
    own = sum((p - y) ** 2 for p, y in zip(predicted, outcomes, strict=True))
    chance = sum((base - y) ** 2 for y in outcomes)
    if 0 < base < 1:
        assert found.skill == pytest.approx(1 - own / chance)
    else:
        assert found.skill is None


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_what_is_measured_does_not_matter(
    pairs: list[tuple[float, bool]], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reliability(*arrays(pairs)).error == pytest.approx(reliability(*arrays(shuffled)).error)


def test_what_it_says_of_perfect_and_of_constant_predictions() -> None:
    outcomes = np.arange(30) % 3 == 0
    perfect, constant = (
        reliability(outcomes.astype(float), outcomes),
        reliability(np.full(30, 1 / 3), outcomes),
    )
    assert (perfect.error, perfect.skill) == (0, 1)
    assert constant.error == pytest.approx(0)
    assert constant.skill == pytest.approx(0)
    assert constant.told() == {"ece": 0.0, "brier_skill": 0.0, "base_rate": 0.333333}
