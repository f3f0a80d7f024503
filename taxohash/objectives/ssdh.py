"""SSDH: a classifier reads sigmoid codes that are pushed to 0 and 1 and to half ones.

Yang, Lin and Chen, "Supervised Learning of Semantics-Preserving Hash via Deep Convolutional Neural Networks",
TPAMI 2018.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, configuration


@configuration
class SSDHConfig:
    """Weights of the three terms of SSDH."""

    classification: NonNegative = 1.0
    binary: NonNegative = 1.0
    balance: NonNegative = 1.0


class SSDH(Objective[SSDHConfig, Labels]):
    """L = CE(classifier(a), y) - mean (a - 1/2)^2 / 2 + mean over images of (mean_j a_j - 1/2)^2 / 2, a = sigmoid(f)."""

    name: ClassVar[str] = "ssdh"
    title: ClassVar[str] = (
        "Supervised Learning of Semantics-Preserving Hash via Deep Convolutional Neural Networks"
    )
    year: ClassVar[int] = 2018
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "what separates the finest classes linearly"
    config_type: ClassVar[type[Any]] = SSDHConfig

    def __init__(self, setting: Setting, config: SSDHConfig) -> None:
        super().__init__(setting, config)
        self.classifier = nn.Linear(setting.bits, len(setting.taxonomy))

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        activations = torch.sigmoid(outputs)
        config = self.config
        return {
            "class": config.classification * cross_entropy(self.classifier(activations), labels),
            "binary": -0.5 * config.binary * (activations - 0.5).square().mean(),
            "balance": 0.5 * config.balance * (activations.mean(dim=1) - 0.5).square().mean(),
        }
