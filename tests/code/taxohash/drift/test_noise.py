"""Bounds, and the simulated checks that they are made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom

from taxohash.drift.judge import common, means
from taxohash.drift.noise import bounds, simulated_recalls, simulated_samples, unseen_chance, unseen_most
from taxohash.drift.sample import Sample
from taxohash.drift.statistics import statistics
from taxohash.generation.reference import Reference
from tests.support.drifting import TOPS, drawn, sample_of


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([1 / 2, 1 / 10, 1 / 40]), st.booleans())
def test_as_few_simulated_checks_pass_as_are_said_and_one_rank_lower_more_would(
    seed: int, count: int, rate: float, ties: bool
) -> None:
    random = np.random.default_rng(seed)
    simulated = random.normal(size=(200, count)) @ random.normal(
        size=(count, count)
    )  # of which some go together
    if ties:
        simulated = simulated.round(0)
    found = bounds(simulated, rate)
    passed = (simulated > found.values).any(axis=1)
    assert passed.mean() == found.rate <= rate
    ranks = np.array([[(simulated[:, s] >= row[s]).sum() for s in range(count)] for row in simulated]).min(
        axis=1
    )
    if passed.mean() < rate:  # one more rank lets too many pass
        rank = int((np.sort(simulated, axis=0)[:, 0] > found.values[0]).sum()) if not ties else None
        if rank is not None:
            assert (ranks <= rank + 1).mean() > rate
    for row in simulated[:20]:
        chances = [found.chance(s, row[s]) for s in range(count)]
        naive = [((ranks <= (simulated[:, s] >= row[s]).sum()).sum() + 1) / 201 for s in range(count)]
        assert chances == pytest.approx(naive)


def naive_checks(reference: Reference, sample: Sample, checks: int, seed: int) -> dict[str, list[float]]:
    """Pictures drawn one by one."""
    random, size = np.random.default_rng(seed), len(reference)
    before, _ = common(reference, sample, len(TOPS))
    found: dict[str, list[float]] = {}
    for _ in range(checks):
        rows, asked = random.integers(0, size, size), random.integers(0, size, len(sample))
        was = means({name: part[rows] for name, part in before.items()}, np.ones(size))
        now = means({name: part[asked] for name, part in before.items()}, sample.weights)
        for name, value in statistics(was, now, size, len(sample)).items():
            found.setdefault(name, []).append(float(value))
    return found


@pytest.mark.parametrize("asked", [80, 2000])  # more than eight times the reference are drawn otherwise
def test_simulated_checks_are_of_pictures_drawn_one_by_one(asked: int) -> None:
    random = np.random.default_rng(0)
    reference, lately = drawn(200, random), sample_of(drawn(asked, random))
    before, _ = common(reference, lately, len(TOPS))
    quick = simulated_samples(before, lately, 1500, np.random.default_rng(1))
    slow = naive_checks(reference, lately, 300, 2)
    for name, values in slow.items():
        for share in (0.25, 0.5, 0.9):
            low, high = np.quantile(values, [max(share - 0.09, 0), share + 0.09])
            assert low <= np.quantile(quick[name], share) <= high, (name, share)


def test_weights_make_noise_larger_and_items_without_a_label_are_in_no_class() -> None:
    random = np.random.default_rng(0)
    reference, lately = drawn(500, random), sample_of(drawn(200, random))
    before, _ = common(reference, lately, len(TOPS))
    uneven = Sample(
        "queries", lately.codes, np.repeat([1.0, 50.0], 100), lately.top, lately.nearest, lately.unlike
    )
    even, other = (simulated_samples(before, one, 1000, np.random.default_rng(1)) for one in (lately, uneven))
    assert np.median(other["bits"]) > 1.3 * np.median(even["bits"])
    items = sample_of(drawn(200, random), "items")
    assert items.top is not None
    unlabelled = Sample(
        "items", items.codes, items.weights, np.where(np.arange(200) < 150, -1, items.top).astype(np.int32)
    )
    before, _ = common(reference, items, len(TOPS))
    all_have, few_have = (
        simulated_samples(before, one, 1000, np.random.default_rng(1)) for one in (items, unlabelled)
    )
    assert np.median(few_have["classes"]) > 2 * np.median(all_have["classes"])
    assert np.median(few_have["bits"]) == pytest.approx(np.median(all_have["bits"]), rel=0.2)


def test_where_recall_has_changed_as_often_up_as_down_it_is_noise() -> None:
    random = np.random.default_rng(0)
    falls = np.zeros((400, 2))
    falls[:60, 0] = 1.0
    falls[:30, 1], falls[30:60, 1] = 1.0, -1.0
    noise = simulated_recalls(falls, 5000, random)
    assert noise.shape == (5000, 2)
    assert (noise[:, 0] < falls[:, 0].mean()).all()
    assert (noise[:, 1] > falls[:, 1].mean()).mean() == pytest.approx(0.5, abs=0.06)
    assert not simulated_recalls(np.zeros((5, 1)), 10, random).any()


@pytest.mark.slow
def test_a_long_stretch_of_noise_raises_as_many_alarms_as_is_said() -> None:
    """Of many generations, each with a reference of its own, as one reference is luck: a year of nights each."""
    every, nights, generations, asked = 60, 365, 60, 250
    alarms = []
    for seed in range(generations):
        random = np.random.default_rng(seed)
        reference = drawn(1000, random)
        lately = sample_of(drawn(asked, random))
        before, _ = common(reference, lately, len(TOPS))
        noise = simulated_samples(before, lately, 6000, random)
        limits = bounds(np.stack([*noise.values()], axis=1), 1 / every).values
        was = means(before, np.ones(len(reference)))
        count = 0
        for _ in range(nights):
            now = means(common(reference, sample_of(drawn(asked, random)), len(TOPS))[1], np.ones(asked))
            values = np.array([*statistics(was, now, len(reference), asked).values()])
            count += bool((values > limits).any())
        alarms.append(count)
    expected = nights / every
    error = np.std(alarms, ddof=1) / np.sqrt(generations)
    assert np.mean(alarms) - 3 * error <= expected
    assert np.mean(alarms) <= 1.15 * expected + 3 * error
    assert (
        binomtest(sum(alarms), generations * nights, 1 / every).statistic > 1 / every / 3
    )  # and it is no dead bell


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([1 / 2, 1 / 100, 1 / 3000]))
def test_of_what_was_never_seen_as_much_is_let_pass_as_chance_puts_among_the_later_ones(
    count: int, now_count: int, rate: float
) -> None:
    most = round(unseen_most(count, now_count, rate) * now_count)
    assert unseen_chance(count, now_count, (most + 1) / now_count) <= rate * (1 + 1e-9)
    for seen in range(1, min(most + 1, now_count) + 1, 1 + most // 5):
        exact = hypergeom.pmf(seen, count + now_count, seen, now_count)
        assert exact <= unseen_chance(count, now_count, seen / now_count) * (1 + 1e-9)
