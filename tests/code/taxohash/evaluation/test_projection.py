"""The map that is made of a database's codes, against variances counted pair by pair."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.codes import pack
from taxohash.evaluation import projection as made
from taxohash.evaluation.projection import projection


def naive_variances(signs: list[list[float]]) -> list[float]:
    """Of the principal components, the greatest first: eigenvalues of the covariances, each of which is summed by hand."""
    count, bits = len(signs), len(signs[0])
    means = [sum(row[bit] for row in signs) / count for bit in range(bits)]
    covariances = [
        [sum((row[a] - means[a]) * (row[b] - means[b]) for row in signs) / count for b in range(bits)]
        for a in range(bits)
    ]
    return sorted(np.linalg.eigvalsh(np.array(covariances)).tolist(), reverse=True)


@given(bits=st.integers(1, 12), count=st.integers(1, 30), seed=st.integers(0, 999))
def test_it_shows_the_greatest_variances_and_no_more(bits: int, count: int, seed: int) -> None:
    ones = np.random.default_rng(seed).random((count, bits)) < 0.3
    found = projection(pack(ones - 0.5), bits)
    places = found.places(pack(ones - 0.5))
    variances = naive_variances((2.0 * ones - 1).tolist())
    wanted = [*variances, 0.0][:2]
    assert places.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
    spread = np.cov(places, rowvar=False, bias=True)
    assert spread.diagonal() == pytest.approx(wanted, abs=1e-3)
    assert spread[0, 1] == pytest.approx(0, abs=1e-3)
    total = sum(variances)
    assert found.explained == pytest.approx([own / total if total > 1e-9 else 0 for own in wanted], abs=1e-4)
    for axis in np.array(found.weights).T:
        assert axis.max() == pytest.approx(np.abs(axis).max())  # one of two signs, always the same


def test_what_differs_more_lies_further_apart() -> None:
    """Of codes whose bits come in order, those of one end are at one end of the map."""
    bits = 16
    ones = np.tril(np.ones((bits + 1, bits), np.float32), -1)
    places = projection(pack(ones - 0.5), bits).places(pack(ones - 0.5))[:, 0].tolist()
    rising = [low < high for low, high in pairwise(places)]
    assert all(rising) or not any(rising)


def test_of_many_codes_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.random.default_rng(0).integers(0, 2, (500, 8))
    monkeypatch.setattr(made, "MOST", 100)
    some = np.unique(np.linspace(0, 499, 100).astype(int))
    assert projection(pack(ones - 0.5), 8) == projection(pack(ones[some] - 0.5), 8)
