"""SHPDH's gradient in closed form, and its centres on a ragged tree by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor

from taxohash.errors import TaxohashError
from taxohash.objectives import Batch, build
from taxohash.objectives.parts.classwise import gaussian_logits
from taxohash.objectives.shpdh import default_inverse_variances, default_level_weights
from taxohash.objectives.supervision import Labels
from tests.support.toy import RAGGED, TREE, setting


@pytest.mark.parametrize(("level", "s"), [(1, 1.0), (0, 0.5)])
def test_gradient_is_s_times_expected_centre_minus_own(level: int, s: float) -> None:
    labels = torch.tensor([0, 4, 8, 4])
    objective: Any = build("shpdh", setting(TREE, labels), {})
    outputs = torch.randn(4, 16, generator=torch.Generator().manual_seed(2), requires_grad=True)
    terms = objective.loss(Batch(outputs, Labels(labels), torch.arange(4)))
    name = f"class_{TREE.levels[level]}"
    (found,) = torch.autograd.grad(terms[name] * len(labels), outputs)  # the loss is a mean over images
    centres, classes = objective.centres(level), torch.from_numpy(TREE.ancestors).long()[labels, level]
    posterior = gaussian_logits(outputs, centres, s).softmax(dim=1).detach()
    torch.testing.assert_close(found, s * (posterior @ centres - centres[classes]))


def test_centres_on_a_ragged_tree_are_unweighted_means_of_children() -> None:
    """Completed downwards: a/b/c a/b/d a/e/e f/g/h i/i/i; the last class has no image."""
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 3])
    objective: Any = build("shpdh", setting(RAGGED, labels, bits=2), {})
    untouched = objective.centres(2)[4].clone()
    outputs = torch.tensor([[1.0, 0], [2, 0], [3, 0], [6, 2], [0, 4], [0, 8], [5, 5]])
    objective.end_epoch(outputs, Labels(labels))
    fine = torch.tensor([[2.0, 0], [6, 2], [0, 6], [5, 5]])
    torch.testing.assert_close(objective.centres(2)[:4], fine)
    torch.testing.assert_close(objective.centres(2)[4], untouched)
    middle = torch.tensor([[4.0, 1], [0, 6], [5, 5]])  # b = mean(c, d) though c has three images and d one
    torch.testing.assert_close(objective.centres(1)[:3], middle)
    top = torch.tensor([[2.0, 3.5], [5, 5]])  # a = mean(b, e) though b has two classes and e one
    torch.testing.assert_close(objective.centres(0)[:2], top)
    torch.testing.assert_close(objective.centres(0)[2], untouched)


def test_two_and_four_levels_take_what_was_published_and_others_what_was_chosen() -> None:
    assert default_inverse_variances(2, bits=48) == (1.0, 0.5)
    assert default_level_weights(4) == (1.0,) * 4
    objective: Any = build("shpdh", setting(RAGGED, torch.arange(5), bits=48), {})
    assert objective.inverse_variances == pytest.approx((0.3, 0.3, 0.3))
    assert objective.level_weights == pytest.approx((1, 0.5, 0.5))
    alone: Any = build("dcwh", setting(RAGGED, torch.arange(5), bits=48), {})
    assert (alone.inverse_variances, alone.level_weights) == (pytest.approx((0.3,)), (1.0,))


def test_one_value_a_level_is_demanded() -> None:
    with pytest.raises(TaxohashError, match="level_weights has 1 values"):
        build("shpdh", setting(RAGGED, torch.arange(5)), {"level_weights": [1.0]})


def test_state_is_complete_for_a_checkpoint() -> None:
    labels = torch.arange(9)
    first: Any = build("shpdh", setting(TREE, labels), {})
    second: Any = build("shpdh", setting(TREE, labels), {})
    second.load_state_dict(first.state_dict())
    outputs: Tensor = torch.randn(9, 16, generator=torch.Generator().manual_seed(0))
    a, b = (objective.loss(Batch(outputs, Labels(labels), labels)) for objective in (first, second))
    assert all(torch.equal(a[name], b[name]) for name in a)
