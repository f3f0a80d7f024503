"""DSDH: pair likelihood, and binary codes of all training images that classify linearly.

Li, Sun, He and Tan, "Deep Supervised Discrete Hashing", NIPS 2017.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.pairs import distinct, mean_over_pairs, negative_log_likelihood, same_label
from taxohash.objectives.parts.quantisation import signs
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import Count, NonNegative, Positive, configuration


@configuration
class DSDHConfig:
    """Hyper-parameters of DSDH.

    Attributes:
        classification: mu, weight of ||Y - W'B||^2.
        ridge: nu, weight of ||W||^2.
        quantisation: eta, weight of ||B - U||^2.
        sweeps: passes over the bits of discrete cyclic coordinate descent, after each epoch.
    """

    classification: Positive = 1.0
    ridge: Positive = 1.0
    quantisation: NonNegative = 55.0
    sweeps: Count = 1


class DSDH(Objective[DSDHConfig, Labels]):
    """L = mean over pairs of log(1 + e^t) - s t, t = u_i.u_j / 2, + eta mean (B - U)^2.

    After each epoch W = (B B' + nu/mu I)^-1 B Y', then B by coordinate descent on
    mu ||Y - W'B||^2 + eta ||B - U||^2.
    """

    name: ClassVar[str] = "dsdh"
    title: ClassVar[str] = "Deep Supervised Discrete Hashing"
    year: ClassVar[int] = 2017
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "same or different finest class"
    config_type: ClassVar[type[Any]] = DSDHConfig
    smallest_batch: ClassVar[int] = 2
    wants_outputs: ClassVar[bool] = True

    def __init__(self, setting: Setting, config: DSDHConfig) -> None:
        super().__init__(setting, config)
        start = torch.randint(0, 2, (len(setting.supervision), setting.bits)) * 2.0 - 1
        self.register_buffer("codes", start)

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels, rows = batch.outputs, batch.supervision.labels, batch.rows
        pairs = distinct(labels)
        similar = same_label(labels)[pairs].to(outputs)
        likelihood = negative_log_likelihood(0.5 * (outputs @ outputs.T)[pairs], similar)
        gaps = (self.get_buffer("codes")[rows] - outputs).square().mean()
        return {"pairs": mean_over_pairs(likelihood), "quantisation": self.config.quantisation * gaps}

    def end_epoch(self, outputs: Tensor, supervision: Labels) -> None:
        labels = supervision.labels
        config = self.config
        targets = one_hot(labels, len(self.setting.taxonomy)).to(outputs)
        codes = signs(outputs)
        weights = ridge_solution(codes, targets, config.ridge / config.classification)
        linear = config.classification * targets @ weights.T + config.quantisation * outputs
        codes = coordinate_descent(codes, weights, linear, config.classification, config.sweeps)
        self.get_buffer("codes").copy_(codes)


def ridge_solution(codes: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """W float[bits, C] that minimises ||Y - B W||^2 + ridge ||W||^2, B float[N, bits], Y float[N, C].

    Raises:
        TaxohashError: the ridge is lost to rounding, and there are too few codes to do without.
    """
    gram = codes.T @ codes + ridge * torch.eye(codes.shape[1], device=codes.device)
    try:
        solution: Tensor = torch.linalg.solve(gram, codes.T @ targets)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise TaxohashError(f"dsdh: ridge / classification = {ridge:g} is too small: raise ridge") from None
    return solution


def coordinate_descent(codes: Tensor, weights: Tensor, linear: Tensor, scale: float, sweeps: int) -> Tensor:
    """B float[N, bits] of +-1 that lowers scale ||B W||^2 - 2 <B, linear>, one bit of all rows at a time."""
    codes = codes.clone()
    gram = scale * weights @ weights.T
    gram.fill_diagonal_(0)  # a bit does not act on itself: b^2 = 1
    for _ in range(sweeps):
        for bit in range(codes.shape[1]):
            codes[:, bit] = signs(linear[:, bit] - codes @ gram[:, bit])
    return codes
