"""What few queries show of perfect probabilities by chance."""

import numpy as np
import pytest

from taxohash.evaluation.reliability import reliability
from taxohash.release.gate import judge
from taxohash.release.gate.trust import chance
from tests.support.gate import evidence, measured, scores, trust


@pytest.mark.parametrize(("base_rate", "queries"), [(0.5, 48), (0.1, 600), (0.9, 3000)])
def test_chance_is_the_error_of_perfect_probabilities(base_rate: float, queries: int) -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(300):
        told = base_rate + random.uniform(-1e-6, 1e-6, queries)  # bins are of different queries
        found.append(reliability(told, random.random(queries) < base_rate).error)
    assert np.mean(found) == pytest.approx(chance(base_rate, queries), rel=0.08)


def test_an_error_that_few_queries_show_by_chance_is_let_pass() -> None:
    few, many = (measured(scores(0.6), calibration=trust(0.2, queries)) for queries in (60, 6000))
    assert judge(evidence(few)).passed
    assert not judge(evidence(many)).passed
