"""The limit of novelty: what it promises, and how it is kept beside a run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.evaluation.unlike import (
    CONFIDENCE,
    SHARES,
    classes_of,
    flagged,
    limit,
    limits,
    load,
    save,
    some_of,
)
from taxohash.networks.novelty import Novelty
from tests.support.miniature import TAXONOMY


@given(st.integers(1, 400), st.sampled_from(SHARES))
def test_the_limit_is_the_least_that_keeps_its_promise(count: int, share: float) -> None:
    from scipy.stats import binom

    scores = np.random.default_rng(count).permutation(count).astype(np.float64)
    passed = int((scores > limit(scores, share)).sum())

    def kept(beyond: int) -> bool:
        """Whether more than `beyond` of so many would pass, were that share of all beyond the limit, with CONFIDENCE."""
        return bool(binom.sf(beyond, count, share) >= CONFIDENCE)

    assert passed == 0 or kept(passed)
    assert not kept(passed + 1)


def test_it_is_rarely_passed_by_more_than_it_says() -> None:
    random = np.random.default_rng(0)
    kept = [
        (random.exponential(size=4000) > limit(random.exponential(size=300), 0.05)).mean() <= 0.05
        for _ in range(400)
    ]
    assert np.mean(kept) >= CONFIDENCE - 0.04


def test_each_half_is_held_against_the_limits_of_the_other() -> None:
    steps = np.arange(100.0)
    low, high, other = (np.stack([one, steps], axis=1) for one in (steps, steps + 1000, steps))
    other[3, 1] = 500
    assert flagged([low, high]) == {"flagged": 0.5, "known": 200}
    assert flagged([low, other]) == {"flagged": 0.005, "known": 200}
    assert limits(high) == (1099.0, 99.0)


def test_the_finest_level_with_few_enough_classes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(6)
    assert len(set(classes_of(TAXONOMY, labels))) == 6
    monkeypatch.setattr("taxohash.evaluation.unlike.MOST_CENTRES", 4)
    assert len(set(classes_of(TAXONOMY, labels))) == 4
    monkeypatch.setattr("taxohash.evaluation.unlike.MOST_CENTRES", 1)
    assert classes_of(TAXONOMY, labels).tolist() == TAXONOMY.ancestors[labels, 0].tolist()


def test_some_are_all_where_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    assert some_of(7).tolist() == list(range(7))
    monkeypatch.setattr("taxohash.evaluation.unlike.FITTED", 3)
    assert some_of(7).tolist() == [0, 3, 6]


def test_what_was_fitted_is_kept_and_taken_away(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 8)).astype(np.float32)
    pixels = random.integers(0, 256, (40, 1, 16, 16), np.uint8)
    made = Novelty.fitted(features, pixels, np.arange(40) % 3)
    assert load(tmp_path) is None
    save(tmp_path, made)
    again = load(tmp_path)
    assert again is not None
    shown = torch.from_numpy(features), torch.from_numpy(pixels)
    assert torch.equal(again(*shown), made(*shown))
    (tmp_path / "novelty.safetensors").write_bytes(b"none")
    with pytest.raises(
        TaxohashError, match=r"novelty\.safetensors is damaged .*: run `taxohash evaluate` again"
    ):
        load(tmp_path)
    save(tmp_path, None)
    save(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
