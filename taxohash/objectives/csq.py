"""CSQ: every class has a fixed binary centre, far from all others; codes are drawn to it bit by bit.

Yuan, Wang, Zhang, Tay, Jie, Liu and Feng, "Central Similarity Quantization for Efficient Image and Video
Retrieval", CVPR 2020.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.hash_centres import hash_centres
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, Seed, configuration


@configuration
class CSQConfig:
    """Hyper-parameters of CSQ.

    Attributes:
        quantisation: lambda, weight of (|u| - 1)^2.
        seed: of the centres that are drawn.
    """

    quantisation: NonNegative = 0.05
    seed: Seed = 0


class CSQ(Objective[CSQConfig, Labels]):
    """L = BCE((u + 1) / 2, (centre + 1) / 2) + lambda mean (|u| - 1)^2, u = tanh(f)."""

    name: ClassVar[str] = "csq"
    title: ClassVar[str] = "Central Similarity Quantization for Efficient Image and Video Retrieval"
    year: ClassVar[int] = 2020
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "the finest classes"
    config_type: ClassVar[type[Any]] = CSQConfig

    def __init__(self, setting: Setting, config: CSQConfig) -> None:
        super().__init__(setting, config)
        generator = torch.Generator().manual_seed(config.seed)
        self.register_buffer("centres", hash_centres(len(setting.taxonomy), setting.bits, generator))

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        targets = (self.get_buffer("centres")[labels] + 1) / 2
        # (1 + tanh f) / 2 = sigmoid(2 f): the same value without a logarithm of zero.
        similarity = binary_cross_entropy_with_logits(2 * outputs, targets)
        quantisation = (torch.tanh(outputs).abs() - 1).square().mean()
        return {"central": similarity, "quantisation": self.config.quantisation * quantisation}

    def class_codes(self) -> Tensor:
        return self.get_buffer("centres")
