"""Closed-form scores of four rankings on CIFAR-100's counts: 50,000 items, 100 classes of 20 superclasses."""

import numpy as np
import pytest

from taxohash import metrics as m

RANDOM = [[[47_500, 2_000, 500]]]
FINE = [[[0, 0, 500], [47_500, 2_000, 0]]]
SUPERCLASS = [[[0, 2_000, 500], [47_500, 0, 0]]]
PERFECT = [[[0, 0, 500], [0, 2_000, 0], [47_500, 0, 0]]]


@pytest.mark.parametrize(
    ("counts", "fine_map", "mahp", "ndcg"),
    [
        (RANDOM, 0.0102, 0.0408, 0.030),
        (FINE, 1, 0.654, 1),
        (SUPERCLASS, 0.202, 0.816, 0.600),
        (PERFECT, 1, 1, 1),
    ],
    ids=["random", "fine", "superclass", "perfect"],
)
def test_anchors(counts: list[list[list[int]]], fine_map: float, mahp: float, ndcg: float) -> None:
    ranking = m.Ranking(np.array(counts))
    similarity = np.array([0.0, 0.5, 1.0])
    assert round(float(m.average_precision(ranking, 2)[0]), 4) == pytest.approx(
        fine_map, abs=5e-4 if fine_map == 0.202 else 5e-5
    )
    assert m.average_hierarchical_precision(ranking, similarity, 2500)[0] == pytest.approx(
        mahp, abs=5e-4 if mahp > 0.5 else 5e-5
    )
    assert m.ndcg(ranking, 2 * similarity, 100)[0] == pytest.approx(ndcg, abs=1e-9)
