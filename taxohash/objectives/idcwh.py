"""IDCWH: DCWH with centres that are learned jointly with the network and kept apart.

Zhang and Yan, "Improved Deep Class-Wise Hashing with Centers Similarity Learning for Image Retrieval", ICPR 2020.

The paper's abstract gives the parts, not the formulas: the class-wise loss, a step that pulls each centre to
its samples and a step that pushes centres apart. Push is taken as in DCDH by the same authors; pull is
the squared distance. Either weight may be set to 0.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.classwise import gaussian_logits
from taxohash.objectives.parts.hash_centres import push_apart
from taxohash.objectives.parts.quantisation import cubic_constraint, vertex_constraint
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, Positive, configuration


@configuration
class IDCWHConfig:
    """Hyper-parameters of IDCWH.

    Attributes:
        inverse_variance: 1 / sigma^2 of every class.
        pull: weight of ||mu_y - f||^2 / q, which moves only centres.
        push: weight of the centre similarity term.
        cubic, vertex, margin: the constraints of DCWH, divided by the number of bits.
    """

    inverse_variance: Positive = 1.0
    pull: NonNegative = 0.1
    push: NonNegative = 0.1
    cubic: NonNegative = 10.0
    vertex: NonNegative = 0.1
    margin: NonNegative = 1.1


class IDCWH(Objective[IDCWHConfig, Labels]):
    """L = CE(-s/2 ||f - mu||^2, y) + pull + push + (lambda_cub L_cub + lambda_ver L_ver) / q."""

    name: ClassVar[str] = "idcwh"
    title: ClassVar[str] = (
        "Improved Deep Class-Wise Hashing with Centers Similarity Learning for Image Retrieval"
    )
    year: ClassVar[int] = 2020
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "the finest classes"
    config_type: ClassVar[type[Any]] = IDCWHConfig

    def __init__(self, setting: Setting, config: IDCWHConfig) -> None:
        super().__init__(setting, config)
        self.centres = nn.Parameter(torch.randn(len(setting.taxonomy), setting.bits))

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        config, bits = self.config, self.setting.bits
        pull = (self.centres[labels] - outputs.detach()).square().sum(dim=1).mean() / bits
        return {
            "class": cross_entropy(gaussian_logits(outputs, self.centres, config.inverse_variance), labels),
            "pull": config.pull * pull,
            "push": config.push * push_apart(self.centres),
            "cubic": config.cubic * cubic_constraint(outputs, config.margin) / bits,
            "vertex": config.vertex * vertex_constraint(outputs) / bits,
        }

    def class_codes(self) -> Tensor:
        return self.centres.detach()
