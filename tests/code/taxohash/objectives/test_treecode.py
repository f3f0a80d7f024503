"""Codes of images are the Bayes decision over the class codes."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.objectives import Batch, Setting, build, configured, objective
from taxohash.objectives.supervision import Labels
from taxohash.taxonomy import Taxonomy
from tests.support.toy import TREE, setting

LABELS = torch.arange(9).repeat_interleave(4)
DEEP = Taxonomy("deep", tuple((a, a + b, a + b + c) for a, b, c in product("uvw", "xyz", "123")))


def distances(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([[(a != b).sum() for b in codes] for a in codes])


def test_loss_is_the_cross_entropy_at_each_level_of_the_posterior_of_each_branch() -> None:
    outputs = 20 * torch.randn(len(LABELS), 3 * 9, generator=torch.Generator().manual_seed(0))
    tree = build("treecode", setting(TREE, LABELS), {"coarse": 0.5, "shrinkage": 0.25, "branches": 3})
    found = tree.loss(Batch(outputs, Labels(LABELS), torch.arange(len(LABELS))))
    fine = coarse = 0.0
    for image, label in zip(outputs.double(), LABELS.tolist(), strict=True):
        siblings = [c for c in range(9) if c // 3 == label // 3]
        for branch in range(3):
            p = torch.softmax(image[9 * branch : 9 * branch + 9], dim=0)
            fine -= float(p[label].log()) / len(LABELS) / 3
            coarse -= float(p[siblings].sum().log()) / len(LABELS) / 3
    assert {name: pytest.approx(float(value), rel=1e-4) for name, value in found.items()} == {
        "class_class": fine,
        "class_super": 0.5 * coarse,
        "shrinkage": 0.25 * float(outputs.square().mean()),
    }


def test_a_node_of_tiny_probability_has_a_finite_loss_and_gradient() -> None:
    outputs = torch.zeros(1, 9)
    outputs[0, 8] = 300.0
    outputs.requires_grad_()
    first = torch.tensor([0])
    loss = build("treecode", setting(TREE, LABELS), {"branches": 1}).loss(
        Batch(outputs, Labels(first), first)
    )
    torch.stack(list(loss.values())).sum().backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert loss["class_super"].item() == pytest.approx(0.5 * (300 - np.log(3)), rel=1e-4)


def test_the_code_has_the_least_expected_distance_to_the_class_code() -> None:
    bits = 8
    tree: Any = build("treecode", setting(TREE, LABELS, bits), {"sharpness": 2.0, "likeness": 0.0})
    logits = torch.randn(5, 2 * 9, generator=torch.Generator().manual_seed(4))
    found = tree.search_form(logits) >= 0
    posterior = (torch.softmax(2 * logits[:, :9], dim=1) + torch.softmax(2 * logits[:, 9:], dim=1)) / 2
    classes = tree.class_codes() >= 0
    words = torch.tensor(list(product([False, True], repeat=bits)))
    expected = posterior @ (classes[:, None] != words[None]).sum(dim=2).float()
    own = (posterior * (classes[None] != found[:, None]).sum(dim=2)).sum(dim=1)
    torch.testing.assert_close(own, expected.min(dim=1).values)


@pytest.mark.parametrize(
    ("classes", "bits", "weight"), [(100, 16, 1 / 3), (450, 48, 1 / 6), (1000, 24, 0.05)]
)
def test_many_classes_weigh_less(classes: int, bits: int, weight: float) -> None:
    config: Any = configured("treecode", {})
    layer: Any = objective("treecode").code_layer({"codes": torch.ones(classes, bits)}, config)
    assert layer.likeness == pytest.approx(weight)


@pytest.mark.parametrize(("bits", "likeness", "weight"), [(12, 0.4, 0.4), (24, None, 0.5), (64, None, 0.75)])
def test_what_an_image_is_like_weighs_beside_what_is_decided(
    bits: int, likeness: float | None, weight: float
) -> None:
    tree: Any = build("treecode", setting(TREE, LABELS, bits), {"likeness": likeness})
    outputs = 3 * torch.randn(7, 2 * 9, generator=torch.Generator().manual_seed(5))
    codes = tree.class_codes().numpy()
    for image, found in zip(outputs.numpy(), tree.search_form(outputs).numpy(), strict=True):
        decided, like = np.zeros(bits), np.zeros(bits)
        for logits in (image[:9], image[9:]):
            posterior = np.exp(logits) / np.exp(logits).sum()
            decided += sum(p * code for p, code in zip(posterior, codes, strict=True)) / 2
            like += sum((f - logits.mean()) * code for f, code in zip(logits, codes, strict=True))
        np.testing.assert_allclose(
            found, decided + weight * like / (2 * np.abs(like).mean()), rtol=1e-4, atol=1e-5
        )


def test_a_sure_image_gets_its_class_code() -> None:
    tree: Any = build("treecode", setting(TREE, LABELS), {})
    assert torch.equal(tree.search_form(50 * torch.eye(9).repeat(1, 2)).sign(), tree.class_codes())


def test_an_image_that_is_like_every_class_alike_has_a_code() -> None:
    tree: Any = build("treecode", setting(TREE, LABELS), {})
    torch.testing.assert_close(tree.search_form(torch.zeros(1, 18))[0], tree.class_codes().mean(dim=0))


@pytest.mark.parametrize(("levels", "flip"), [(2, 0.1), (4, 0.1), (8, 0.05)])
def test_fewer_bits_are_turned_at_each_level_of_a_deep_tree(levels: int, flip: float) -> None:
    tree = Taxonomy("t", tuple((*"abcdefg"[: levels - 1], leaf) for leaf in "xyz"))
    made, given = (
        build("treecode", Setting(64, tree, Labels(torch.arange(3))), options)
        for options in ({}, {"flip": flip})
    )
    assert torch.equal(made.get_buffer("codes"), given.get_buffer("codes"))
