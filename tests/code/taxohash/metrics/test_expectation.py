"""Tie-aware values are expectations: the mean of the definition over every order of tied items."""

from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash import metrics as m
from taxohash.metrics import gain
from taxohash.metrics.ranking import Floats
from tests.support import naive_metrics as naive

GAINS = (0.0, 1.0, 3.0)
SIMILARITY = (0.0, 0.5, 1.0)
Blocks = list[list[int]]

CASES: dict[str, tuple[Callable[[m.Ranking], Floats], Callable[[naive.Grades], float]]] = {
    "AP": (lambda r: m.average_precision(r, 2), lambda o: naive.average_precision(o, 2)),
    "AP coarse": (lambda r: m.average_precision(r, 1), lambda o: naive.average_precision(o, 1)),
    "AP@3": (lambda r: m.average_precision(r, 1, 3), lambda o: naive.average_precision(o, 1, 3)),
    "wAP@4": (
        lambda r: m.weighted_average_precision(r, np.array(GAINS), 4),
        lambda o: naive.weighted_average_precision(o, GAINS, 4),
    ),
    "wAP": (
        lambda r: m.weighted_average_precision(r, np.array(GAINS)),
        lambda o: naive.weighted_average_precision(o, GAINS),
    ),
    "P@3": (lambda r: m.precision(r, 1, 3), lambda o: naive.precision(o, 1, 3)),
    "HP@4": (
        lambda r: m.hierarchical_precision(r, np.array(SIMILARITY), 4),
        lambda o: naive.hierarchical_precision(o, SIMILARITY, 4),
    ),
    "AHP@4": (
        lambda r: m.average_hierarchical_precision(r, np.array(SIMILARITY), 4),
        lambda o: naive.average_hierarchical_precision(o, SIMILARITY, 4, "mean"),
    ),
    "AHP@5 trapezoid": (
        lambda r: m.average_hierarchical_precision(r, np.array(SIMILARITY), 5, "trapezoid"),
        lambda o: naive.average_hierarchical_precision(o, SIMILARITY, 5, "trapezoid"),
    ),
    "nDCG@6 curve": (
        lambda r: m.ndcg(r, np.array(GAINS), 6),
        lambda o: naive.ndcg(o, GAINS, 6, "jk", curve=True),
    ),
    "nDCG@6 hpdh": (
        lambda r: m.ndcg(r, np.array(GAINS), 6, "hpdh"),
        lambda o: naive.ndcg(o, GAINS, 6, "hpdh", curve=True),
    ),
    "nDCG exponential": (
        lambda r: m.ndcg(r, np.array(GAINS), None, "log", curve=False),
        lambda o: naive.ndcg(o, GAINS, len(o), "log", curve=False),
    ),
    "ACG@3": (
        lambda r: m.average_cumulative_gain(r, np.array(GAINS), 3),
        lambda o: naive.average_cumulative_gain(o, GAINS, 3),
    ),
    "WR@3": (
        lambda r: m.weighted_recall(r, np.array(SIMILARITY), 3),
        lambda o: naive.weighted_recall(o, SIMILARITY, 3),
    ),
    "H-AP": (
        lambda r: m.hierarchical_average_precision(r, np.array(SIMILARITY)),
        lambda o: naive.hierarchical_average_precision(o, SIMILARITY),
    ),
    "ASI": (m.average_set_intersection, naive.average_set_intersection),
}


def ranking_of(blocks: Blocks) -> m.Ranking:
    return m.Ranking(np.array([[[block.count(grade) for grade in range(3)] for block in blocks]]))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30, deadline=None)
@given(blocks=st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=4).filter(any))
def test_mean_over_all_orders(name: str, blocks: Blocks) -> None:
    measure, definition = CASES[name]
    # Different arrangements of equal grades are equally likely, so one of each is enough.
    arrangements = product(*(sorted(set(permutations(block))) for block in blocks))
    orders = [[grade for block in order for grade in block] for order in arrangements]
    expected = np.mean([definition(order) for order in orders])
    assert measure(ranking_of(blocks))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_large_blocks_agree_with_random_orders(name: str) -> None:
    measure, definition = CASES[name]
    rng = np.random.default_rng(5)
    blocks = [rng.choice(3, size, p=(0.6, 0.3, 0.1)).tolist() for size in (12, 0, 1, 30, 9)]
    draws = [
        definition([int(grade) for block in blocks for grade in rng.permutation(block)]) for _ in range(1500)
    ]
    spread = np.std(draws) / len(draws) ** 0.5
    assert measure(ranking_of(blocks))[0] == pytest.approx(np.mean(draws), abs=4.5 * spread + 1e-9)


def test_queries_of_a_batch_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 4, (6, 5, 3))
    counts[:, 0, 0] += 60 - counts.sum(axis=(1, 2))  # all rank the same number of items
    for measure, _ in CASES.values():
        together = measure(m.Ranking(counts))
        alone = np.array([float(measure(m.Ranking(counts[[query]]))[0]) for query in range(6)])
        np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("cells", [1, 50, 200])
def test_best_rankings_may_be_made_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    counts = np.random.default_rng(2).integers(0, 5, (20, 6, 3))
    counts[:, 0, 0] += 90 - counts.sum(axis=(1, 2))
    whole = [measure(m.Ranking(counts)) for measure, _ in CASES.values()]
    monkeypatch.setattr(gain, "IDEAL_CELLS", cells)
    for (measure, _), wanted in zip(CASES.values(), whole, strict=True):
        assert measure(m.Ranking(counts)).tolist() == wanted.tolist()


def test_nothing_relevant_scores_zero() -> None:
    ranking = m.Ranking(np.array([[[4, 0, 0], [3, 0, 0]]]))
    assert all(measure(ranking)[0] == 0 for measure, _ in CASES.values())


def test_precision_within_radius() -> None:
    ranking = m.Ranking(np.array([[[0, 0], [2, 1], [0, 1], [5, 5]], [[0, 0], [0, 0], [0, 0], [7, 7]]]))
    assert m.precision_within(ranking, 1, 2).tolist() == [0.5, 0.0]


def test_collisions_are_items_of_other_classes_with_the_own_code() -> None:
    ranking = m.Ranking(np.array([[[1, 2, 4], [5, 0, 1]], [[0, 0, 3], [2, 6, 0]], [[0, 0, 1], [0, 0, 1]]]))
    assert m.collisions(ranking, 2).tolist() == [3 / 8, 0.0, 0.0]
    assert m.collisions(ranking, 1).tolist() == [1 / 6, 0.0, 0.0]


def test_precision_at_recalls() -> None:
    ranking = m.Ranking(np.array([[[0, 2], [4, 2]], [[6, 0], [2, 0]], [[3, 1], [4, 0]]]))
    recalls = np.array([0.25, 0.5, 0.75, 1.0])
    expected = np.array([[1, 1, 3 / 5, 4 / 8], [0, 0, 0, 0], [1 / 4] * 4], np.float64)
    np.testing.assert_allclose(m.precision_recall(ranking, 1, recalls), expected, atol=1e-8)
