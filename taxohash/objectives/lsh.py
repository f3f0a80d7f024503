"""LSH: random hyperplanes through the features' mean.

Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from taxohash.objectives.base import Projection
from taxohash.runtime.configuration import Seed, configuration


@configuration
class LSHConfig:
    """Seed of the hyperplanes."""

    seed: Seed = 0


class LSH(Projection[LSHConfig]):
    """b = sign(R x + t), R Gaussian, t = -R mean(x)."""

    name: ClassVar[str] = "lsh"
    title: ClassVar[str] = "Similarity Estimation Techniques from Rounding Algorithms"
    year: ClassVar[int] = 2002
    keeps: ClassVar[str] = "the angle between features"
    config_type: ClassVar[type[Any]] = LSHConfig

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.config.seed)
        weight = torch.randn(self.setting.bits, features.shape[1], generator=generator).to(features)
        return weight, -(weight @ features.mean(dim=0))
