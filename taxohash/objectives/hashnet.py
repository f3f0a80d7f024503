"""HashNet: weighted pair likelihood on tanh codes that sharpen by continuation.

Cao, Long, Wang and Yu, "HashNet: Deep Learning to Hash by Continuation", ICCV 2017.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.pairs import distinct, mean_over_pairs, negative_log_likelihood, same_label
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import Count, Positive, configuration


@configuration
class HashNetConfig:
    """Hyper-parameters of HashNet.

    Attributes:
        alpha: scale of the inner product in the sigmoid.
        step: beta = sqrt(epoch // step + 1).
    """

    alpha: Positive = 0.1
    step: Count = 20


class HashNet(Objective[HashNetConfig, Labels]):
    """L = mean over pairs of w_ij (log(1 + e^(alpha u_i.u_j)) - alpha s_ij u_i.u_j), u = tanh(beta f)."""

    name: ClassVar[str] = "hashnet"
    title: ClassVar[str] = "HashNet: Deep Learning to Hash by Continuation"
    year: ClassVar[int] = 2017
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "same or different finest class"
    config_type: ClassVar[type[Any]] = HashNetConfig
    smallest_batch: ClassVar[int] = 2

    def __init__(self, setting: Setting, config: HashNetConfig) -> None:
        super().__init__(setting, config)
        self.beta = 1.0

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.beta = (epoch // self.config.step + 1) ** 0.5

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        codes = torch.tanh(self.beta * outputs)
        pairs = distinct(labels)
        similar = same_label(labels)[pairs].to(outputs)
        terms = negative_log_likelihood(self.config.alpha * (codes @ codes.T)[pairs], similar)
        positives = similar.sum()
        # |S| / |S1| for similar, |S| / |S0| for dissimilar pairs: both kinds weigh the same.
        weights = torch.where(
            similar > 0,
            len(similar) / positives.clamp_min(1),
            len(similar) / (len(similar) - positives).clamp_min(1),
        )
        return {"pairs": mean_over_pairs(weights * terms)}
