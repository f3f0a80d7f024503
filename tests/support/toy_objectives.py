"""Objectives that no paper has, one for each kind of supervision and of output: they prove the interface."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, softplus

from taxohash.objectives import AnyObjective, Batch, Objective, Setting, register, registry
from taxohash.objectives.parts.pairs import distinct, negative_log_likelihood, same_label
from taxohash.objectives.parts.quantisation import vertex_constraint
from taxohash.objectives.supervision import Kinds, Labels, LabelSets, Pairs, Triplets, Unlabelled
from taxohash.runtime.configuration import NonNegative, configuration


@configuration
class ToyConfig:
    """Weight of ||u - sign(u)||^2 per bit."""

    quantisation: NonNegative = 0.1


class Toy(Objective[ToyConfig, Any]):
    """Has no name, and so is none."""

    title: ClassVar[str] = "A toy"
    year: ClassVar[int] = 2026
    keeps: ClassVar[str] = "little"
    config_type: ClassVar[type[Any]] = ToyConfig

    def quantised(self, outputs: Tensor) -> Tensor:
        return self.config.quantisation * vertex_constraint(outputs.flatten(0, -2)) / self.setting.bits


class SharedLabels(Toy):
    """Of label sets: the likelihood of pairs that share a label."""

    name: ClassVar[str] = "toy-sets"
    supervision: ClassVar[Kinds] = (LabelSets,)

    def loss(self, batch: Batch[LabelSets]) -> dict[str, Tensor]:
        sets = batch.supervision.sets.float()
        pairs, similar = distinct(sets), (sets @ sets.T > 0).float()
        likelihood = negative_log_likelihood(0.5 * batch.outputs @ batch.outputs.T, similar)[pairs].mean()
        return {"pairs": likelihood, "quantisation": self.quantised(batch.outputs)}


class Decorrelated(Toy):
    """Of images alone: bits that are half ones and know nothing of each other."""

    name: ClassVar[str] = "toy-unlabelled"
    supervision: ClassVar[Kinds] = (Unlabelled,)
    wants_outputs: ClassVar[bool] = True

    def __init__(self, setting: Setting, config: ToyConfig) -> None:
        super().__init__(setting, config)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Batch[Unlabelled]) -> dict[str, Tensor]:
        codes = torch.tanh(batch.outputs)
        covariance = codes.T @ codes / len(batch.supervision)
        unit = torch.eye(self.setting.bits, device=codes.device)
        return {
            "decorrelation": (covariance - unit).square().mean(),
            "balance": codes.mean(dim=0).square().mean(),
        }

    def end_epoch(self, outputs: Tensor, supervision: Unlabelled) -> None:
        assert outputs.shape == (len(supervision), self.width)
        self.get_buffer("seen").add_(len(outputs))


class TwoViews(Toy):
    """Of images alone: two views of one image are more alike than views of two (SimCLR's NT-Xent)."""

    name: ClassVar[str] = "toy-views"
    supervision: ClassVar[Kinds] = (Unlabelled,)
    views: ClassVar[int] = 2

    def loss(self, batch: Batch[Unlabelled]) -> dict[str, Tensor]:
        both = normalize(torch.tanh(batch.outputs), dim=-1).flatten(0, 1)
        likeness = (both @ both.T / 0.3).masked_fill(~distinct(both), -torch.inf)
        other = torch.arange(len(both), device=both.device).roll(len(batch.supervision))
        return {"contrast": cross_entropy(likeness, other)}


class WithHead(Toy):
    """Of labels: the likelihood of pairs on the codes, and classes on a head of their own."""

    name: ClassVar[str] = "toy-head"
    supervision: ClassVar[Kinds] = (Labels,)

    @property
    def heads(self) -> Mapping[str, int]:
        return {"classes": len(self.setting.taxonomy), "spare": 3}

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        likelihood = negative_log_likelihood(0.5 * outputs @ outputs.T, same_label(labels).float())
        return {
            "pairs": likelihood[distinct(labels)].mean(),
            "class": cross_entropy(batch.heads["classes"], labels),
        }


class GivenPairs(Toy):
    """Of pairs: the likelihood of those that the data give."""

    name: ClassVar[str] = "toy-pairs"
    supervision: ClassVar[Kinds] = (Pairs,)

    def loss(self, batch: Batch[Pairs]) -> dict[str, Tensor]:
        left, right = batch.outputs
        logits = 0.5 * (left * right).sum(dim=-1)
        likelihood = negative_log_likelihood(logits, batch.supervision.similarity).mean()
        return {"pairs": likelihood, "quantisation": self.quantised(batch.outputs)}


class GivenTriplets(Toy):
    """Of triplets: the margin of those that the data give, in two views, with the anchor's class on a head."""

    name: ClassVar[str] = "toy-triplets"
    supervision: ClassVar[Kinds] = (Triplets,)
    views: ClassVar[int] = 2

    @property
    def heads(self) -> Mapping[str, int]:
        return {"norm": 1}

    def loss(self, batch: Batch[Triplets]) -> dict[str, Tensor]:
        anchor, positive, negative = torch.tanh(batch.outputs)
        margin = (anchor * (positive - negative)).sum(dim=-1)
        return {"margin": softplus(1 - margin).mean(), "norm": batch.heads["norm"].square().mean()}


TOYS: dict[str, type[AnyObjective]] = {
    kind.name: kind for kind in (SharedLabels, Decorrelated, TwoViews, WithHead, GivenPairs, GivenTriplets)
}


@contextmanager
def registered() -> Iterator[None]:
    """The toys are known by their names."""
    with patch.dict(registry._registered):
        for kind in TOYS.values():
            register(kind)
        yield
