"""Each statistic against its definition, picture by picture."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from taxohash.codes import bit_health
from taxohash.drift.judge import common, means
from taxohash.drift.statistics import effective, psi, statistics
from tests.support.drifting import BITS, CLASSES, TOPS, drawn, sample_of

MIX = np.arange(1.0, CLASSES + 1) / np.arange(1.0, CLASSES + 1).sum()


def naive_psi(before: list[int], now: list[int]) -> float:
    cells = len(before)
    p = [(count + 0.5) / (sum(before) + 0.5 * cells) for count in before]
    q = [(count + 0.5) / (sum(now) + 0.5 * cells) for count in now]
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


@given(st.integers(0, 1000), st.integers(20, 120), st.integers(20, 120), st.booleans())
def test_every_statistic_is_what_its_definition_says(seed: int, size: int, asked: int, other: bool) -> None:
    random = np.random.default_rng(seed)
    reference = drawn(size, random)
    lately = drawn(asked, random, MIX) if other else drawn(asked, random)
    before, now = common(reference, sample_of(lately), len(TOPS))
    found = statistics(means(before, np.ones(size)), means(now, np.ones(asked)), size, asked)
    assert reference.codes is not None
    assert lately.codes is not None
    old, new = (np.unpackbits(one.codes, axis=1, count=BITS) for one in (reference, lately))  # type: ignore[arg-type]
    by_bit = [
        naive_psi([int((old[:, bit] == value).sum()) for value in (0, 1)], [int((new[:, bit] == value).sum()) for value in (0, 1)])
        for bit in range(BITS)
    ]  # fmt: skip
    assert found["bits"] == pytest.approx(np.mean(by_bit), abs=1e-6)
    assert found["worst_bit"] == pytest.approx(max(by_bit), abs=1e-5)
    entropies = [bit_health(one.codes, BITS).entropy for one in (reference, lately)]  # type: ignore[arg-type]
    assert found["entropy"] == pytest.approx(abs(entropies[1] - entropies[0]), abs=1e-5)
    assert reference.told is not None
    assert lately.told is not None
    told = [[int((one.told == top).sum()) for top in range(-1, len(TOPS))] for one in (reference, lately)]  # type: ignore[union-attr]
    assert found["classes"] == pytest.approx(naive_psi(*told), abs=1e-6)
    assert reference.unlike is not None
    assert lately.unlike is not None
    assert found["unlike"] == pytest.approx(lately.unlike.mean() - reference.unlike.mean(), abs=1e-6)
    farther = ks_2samp(reference.nearest, lately.nearest, alternative="greater").statistic
    assert found["nearest"] == pytest.approx(max(farther, 0.0), abs=1e-6)


def test_nearer_is_no_drift() -> None:
    reference, lately = (drawn(200, np.random.default_rng(seed)) for seed in (0, 1))
    nearer = sample_of(type(lately)(BITS, np.zeros_like(lately.nearest), lately.codes))
    before, now = common(reference, nearer, len(TOPS))
    found = statistics(means(before, np.ones(200)), means(now, np.ones(200)), 200, 200)
    assert found["nearest"] <= 0


def test_weights_count_as_so_many_pictures() -> None:
    random = np.random.default_rng(0)
    reference, lately = drawn(300, random), drawn(60, random)
    weights = random.integers(1, 4, 60).astype(np.float64)
    _, now = common(reference, sample_of(lately), len(TOPS))
    repeated = {name: np.repeat(part, weights.astype(int), axis=0) for name, part in now.items()}
    weighted, written_out = means(now, weights), means(repeated, np.ones(int(weights.sum())))
    for name, part in weighted.items():
        assert part == pytest.approx(written_out[name], abs=1e-6)
    assert effective(np.full(60, 7.0)) == pytest.approx(60)
    assert 1 <= effective(weights) < 60
    assert effective(np.array([1.0, 1e-9])) == pytest.approx(1)


def test_the_index_of_equal_shares_is_0_and_of_none_is_finite() -> None:
    same: npt.NDArray[np.float64] = np.array([0.25, 0.75, 0.0])
    assert psi(same, same, 100, 100) == 0
    assert 0 < psi(same, np.array([0.0, 0.0, 1.0]), 100, 100) < 20
