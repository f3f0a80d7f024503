"""Every method learns a toy hierarchy; the hierarchical ones keep its order, and only if it is the true one."""

import pytest

from taxohash.objectives import objectives
from tests.support.toy import TREE, scores, shuffled

HIERARCHICAL = [name for name, kind in objectives().items() if kind.hierarchical]
CHANCE = 1 / 9


@pytest.mark.parametrize("name", objectives())
def test_every_method_is_far_better_than_chance(name: str) -> None:
    assert scores(name)["mAP"] > 2.5 * CHANCE


@pytest.mark.parametrize("name", HIERARCHICAL)
def test_hierarchical_methods_keep_the_superclasses_and_lose_them_with_a_shuffled_tree(name: str) -> None:
    true, false = scores(name), scores(name, learns_from=shuffled(TREE))
    assert true["mAHP"] > 0.9
    assert false["mAHP"] < true["mAHP"] - 0.1


def test_there_are_flat_and_hierarchical_methods() -> None:
    assert {"shpdh", "shdh", "hierarchy_embedding"} <= set(HIERARCHICAL) < set(objectives())
