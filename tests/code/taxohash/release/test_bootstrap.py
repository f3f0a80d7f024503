"""Intervals of means: against a naive resampling, by simulation, and of few values."""

import numpy as np
import pytest

from taxohash.release.bootstrap import interval, resampled_means


def test_a_resample_is_the_mean_of_rows_drawn_whole() -> None:
    values = np.random.default_rng(0).random((40, 2))
    values[:, 1] = values[:, 0] * 3
    means = resampled_means(values, 500, seed=1)
    assert means.shape == (500, 2)
    assert np.allclose(means[:, 1], 3 * means[:, 0])
    draws = np.random.default_rng(1).integers(0, 40, (500, 40))
    assert np.allclose(means, [values[row].mean(axis=0) for row in draws])


def test_blocks_of_resamples_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((50, 3))
    monkeypatch.setattr("taxohash.release.bootstrap.CELLS", 1000)
    means = resampled_means(values, 101, seed=0)
    assert means.shape == (101, 3)
    assert len(np.unique(means[:, 0])) > 90


@pytest.mark.parametrize("count", [8, 30, 200])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(count: int) -> None:
    """Of differences of average precisions: many zeros, a skewed rest."""
    generator = np.random.default_rng(count)
    held, trials = 0, 400
    for trial in range(trials):
        values = np.where(generator.random(count) < 0.3, 0, generator.beta(0.8, 2.5, count))[:, None]
        low, high = interval(values, 0.9, 400, seed=trial)
        held += int(low[0] <= 0.7 * 0.8 / 3.3 <= high[0])
    assert 0.85 <= held / trials <= 0.96


def test_it_is_as_wide_as_it_is_confident_and_narrower_for_more_values() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 1))
    widths = [float(np.ptp(interval(values[:count], 0.95, 2000, 0))) for count in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[2] == pytest.approx(2 * 1.96 / 1000**0.5, rel=0.1)
    assert np.ptp(interval(values, 0.99, 2000, 0)) > widths[2] > np.ptp(interval(values, 0.5, 2000, 0))


def test_of_one_value_nothing_is_known() -> None:
    low, high = interval(np.array([[0.3, -0.1]]), 0.95, 100, 0)
    assert low.tolist() == [-1, -1]
    assert high.tolist() == [1, 1]
    low, high = interval(np.array([[0.3], [0.5]]), 0.95, 100, 0)
    assert (low[0], high[0]) == (0.3, 0.5)
