"""DCDH: learnable class centres that push each other apart, and discrete codes of all training images.

Zhang, Zhe, Chen and Yan, "Deep Center-Based Dual-Constrained Hashing for Discriminative Face Image Retrieval",
Pattern Recognition 2021.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.classwise import class_means, gaussian_logits
from taxohash.objectives.parts.hash_centres import push_apart
from taxohash.objectives.parts.quantisation import signs
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, Positive, configuration


@configuration
class DCDHConfig:
    """Hyper-parameters of DCDH.

    Attributes:
        inverse_variance: 1 / sigma^2 of every class.
        push: weight of the centre similarity term.
        quantisation: eta, weight of ||f - B||^2, also in the update of B.
    """

    inverse_variance: Positive = 0.25
    push: NonNegative = 0.1
    quantisation: NonNegative = 0.01


class DCDH(Objective[DCDHConfig, Labels]):
    """L = CE(-s/2 ||f - mu||^2, y) + 0.1 mean_ij log(1 + e^(q/2 cos(mu_i, mu_j))) + eta ||f - B||^2.

    After each epoch B = sign(Y W + eta f) with W = (Y'Y)^+ Y' sign(f), the mean signs of each class.
    """

    name: ClassVar[str] = "dcdh"
    title: ClassVar[str] = (
        "Deep Center-Based Dual-Constrained Hashing for Discriminative Face Image Retrieval"
    )
    year: ClassVar[int] = 2021
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "the finest classes"
    config_type: ClassVar[type[Any]] = DCDHConfig
    wants_outputs: ClassVar[bool] = True

    def __init__(self, setting: Setting, config: DCDHConfig) -> None:
        super().__init__(setting, config)
        self.centres = nn.Parameter(torch.randn(len(setting.taxonomy), setting.bits))
        self.register_buffer("codes", torch.zeros(len(setting.supervision), setting.bits))

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels, rows = batch.outputs, batch.supervision.labels, batch.rows
        codes = self.get_buffer("codes")[rows]
        codes = torch.where(codes == 0, signs(outputs), codes)  # none before the first update
        quantisation = (outputs - codes).square().sum(dim=1).mean()
        return {
            "class": cross_entropy(
                gaussian_logits(outputs, self.centres, self.config.inverse_variance), labels
            ),
            "push": self.config.push * push_apart(self.centres),
            "quantisation": self.config.quantisation * quantisation,
        }

    def end_epoch(self, outputs: Tensor, supervision: Labels) -> None:
        labels = supervision.labels
        count, bits = self.centres.shape
        none = torch.zeros(count, bits, device=outputs.device)
        mean_signs = class_means(signs(outputs), labels, count, none)
        self.get_buffer("codes").copy_(signs(mean_signs[labels] + self.config.quantisation * outputs))

    def class_codes(self) -> Tensor:
        return self.centres.detach()
