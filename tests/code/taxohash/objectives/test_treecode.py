"""Tree codes meet their distances; class codes follow the network without leaving the tree."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.objectives import build
from taxohash.objectives.tree_code import arranged, distance_targets, pair_weights, random_tree_code
from taxohash.taxonomy import Taxonomy
from tests.code.taxohash.objectives.toy import RAGGED, TREE, setting

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
def test_random_tree_code_orders_all_pairs_by_kinship(tree: Taxonomy, bits: int) -> None:
    codes = random_tree_code(tree, bits, 0.15, seed=1)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert np.array_equal(codes, random_tree_code(tree, bits, 0.15, seed=1))
    found, off = distances(codes), ~np.eye(len(codes), dtype=bool)
    means = [found[off & (tree.agreement == grade)].mean() for grade in range(tree.depth)]
    wanted = [
        distance_targets(tree, bits, 0.15)[off & (tree.agreement == g)].mean() for g in range(tree.depth)
    ]
    np.testing.assert_allclose(means, wanted, atol=1.0)
    assert means == sorted(means, reverse=True)
    assert found[off].min() >= 2


def test_weights_give_each_grade_of_kinship_the_same_sum() -> None:
    weights = pair_weights(DEEP)
    sums = [weights[DEEP.agreement == grade].sum() for grade in range(3)]
    np.testing.assert_allclose(sums, sums[0])
    assert weights.sum() == pytest.approx(27 * 26)
    assert pair_weights(Taxonomy("one", (("only",),))).tolist() == [[0.0]]


def test_arranging_ends_where_no_single_bit_lowers_the_energy() -> None:
    rng = np.random.default_rng(3)
    start, pull = rng.choice([-1.0, 1.0], (9, 8)), rng.normal(size=(9, 8))
    targets, weights = distance_targets(TREE, 8, 0.15), pair_weights(TREE)

    def energy(codes: np.ndarray[Any, Any]) -> float:
        square = weights * (distances(codes) - targets) ** 2
        return float(square.sum() / 2 - (pull * codes).sum())

    found = arranged(start, targets, weights, pull, np.zeros(100), rng)
    assert energy(found) < energy(start)
    for row in range(9):
        for bit in range(8):
            turned = found.copy()
            turned[row, bit] *= -1
            assert energy(turned) >= energy(found) - 1e-9


def test_loss_is_the_cross_entropy_of_the_class_code_and_a_share_of_shpdh() -> None:
    outputs = torch.randn(len(LABELS), 16, generator=torch.Generator().manual_seed(0))
    tree: Any = build("treecode", setting(TREE, LABELS), {"shpdh": 0.5})
    plain: Any = build("shpdh", setting(TREE, LABELS), {})
    plain.load_state_dict({name: value for name, value in tree.state_dict().items() if name != "codes"})
    rows = torch.arange(len(LABELS))
    found, parts = tree.loss(outputs, LABELS, rows), plain.loss(outputs, LABELS, rows)
    code = found.pop("code")
    for name, part in parts.items():
        torch.testing.assert_close(found[name], 0.5 * part)
    agreement = torch.sigmoid(2 * outputs * tree.class_codes()[LABELS])
    torch.testing.assert_close(code, -agreement.log().mean())


def test_class_codes_follow_the_outputs_until_they_settle() -> None:
    objective: Any = build("treecode", setting(TREE, LABELS), {"follow": 100.0})
    wanted = torch.where(torch.randn(9, 16, generator=torch.Generator().manual_seed(1)) >= 0, 1.0, -1.0)
    first = objective.class_codes().clone()
    objective.start_epoch(9, 10)
    objective.end_epoch(3 * wanted[LABELS], LABELS)
    assert torch.equal(objective.class_codes(), first)
    objective.start_epoch(0, 10)
    objective.end_epoch(3 * wanted[LABELS], LABELS)
    assert torch.equal(objective.class_codes(), wanted)
