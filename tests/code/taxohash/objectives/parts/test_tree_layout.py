"""Class codes laid out like the tree meet their distances."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.objectives.parts.tree_layout import annealed, distance_targets, pair_weights, tree_code
from taxohash.taxonomy import Taxonomy
from tests.support.toy import RAGGED, TREE

LABELS = torch.arange(9).repeat_interleave(4)
DEEP = Taxonomy("deep", tuple((a, a + b, a + b + c) for a, b, c in product("uvw", "xyz", "123")))


def distances(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([[(a != b).sum() for b in codes] for a in codes])


def test_targets_are_the_mean_distances_of_codes_that_turn_down_the_tree() -> None:
    rng, bits, flip = np.random.default_rng(0), 20_000, 0.1
    node: dict[tuple[str, ...], Any] = {}
    for path in RAGGED.paths:
        path = path + (path[-1],) * (RAGGED.depth - len(path))
        for depth in range(1, RAGGED.depth + 1):
            if depth == 1:
                node.setdefault(path[:1], rng.choice([-1, 1], bits))
            turned = np.where(rng.random(bits) < flip, -1, 1)
            node.setdefault(path[:depth], node[path[: max(1, depth - 1)]] * turned)
    leaves = np.array([node[path + (path[-1],) * (RAGGED.depth - len(path))] for path in RAGGED.paths])
    found, wanted = distances(leaves) / bits, distance_targets(RAGGED, bits, flip) / bits
    np.testing.assert_allclose(found[~np.eye(5, dtype=bool)], wanted[~np.eye(5, dtype=bool)], atol=0.015)
    assert (np.diag(wanted) == 0).all()


@pytest.mark.parametrize(("tree", "bits"), [(TREE, 16), (DEEP, 32)])
def test_tree_code_orders_all_pairs_by_kinship(tree: Taxonomy, bits: int) -> None:
    codes = tree_code(tree, bits, 0.15, seed=1)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert np.array_equal(codes, tree_code(tree, bits, 0.15, seed=1))
    found, off = distances(codes), ~np.eye(len(codes), dtype=bool)
    means = [found[off & (tree.agreement == grade)].mean() for grade in range(tree.depth)]
    wanted = [
        distance_targets(tree, bits, 0.15)[off & (tree.agreement == g)].mean() for g in range(tree.depth)
    ]
    np.testing.assert_allclose(means, wanted, atol=1.0)
    assert means == sorted(means, reverse=True)
    assert found[off].min() >= 2


def test_weights_give_each_grade_of_kinship_the_same_share_of_relative_errors() -> None:
    targets = distance_targets(DEEP, 32, 0.15)
    weights = pair_weights(DEEP, targets)
    sums = [(weights * targets)[DEEP.agreement == grade].sum() for grade in range(3)]
    np.testing.assert_allclose(sums, sums[0])
    assert (np.diag(weights) == 0).all()
    only = Taxonomy("one", (("only",),))
    assert pair_weights(only, distance_targets(only, 32, 0.15)).tolist() == [[0.0]]


def test_annealing_ends_where_no_single_bit_lowers_the_energy() -> None:
    rng = np.random.default_rng(3)
    start = rng.choice([-1.0, 1.0], (9, 8))
    targets = distance_targets(TREE, 8, 0.15)
    weights = pair_weights(TREE, targets)

    def energy(codes: np.ndarray[Any, Any]) -> float:
        return float((weights * (distances(codes) - targets) ** 2).sum() / 2)

    found = annealed(start, targets, weights, np.zeros(100), rng)
    assert energy(found) < energy(start)
    for row in range(9):
        for bit in range(8):
            turned = found.copy()
            turned[row, bit] *= -1
            assert energy(turned) >= energy(found) - 1e-9
