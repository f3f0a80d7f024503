"""SSQ, sub-selective quantisation: the rotation of ITQ from a small random share of the rows.

Li, Chen, Liu and Huang, "Sub-Selective Quantization for Large-Scale Image Search", AAAI 2014.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from taxohash.objectives.base import Projection
from taxohash.objectives.itq import principal_components, rotate_to_cube
from taxohash.runtime.configuration import Count, Seed, configuration


@configuration
class SSQConfig:
    """Hyper-parameters of sub-selective quantisation.

    Attributes:
        rows: drawn to learn from, out of all.
        iterations: of the alternation between codes and rotation.
        seed: of the rows and the rotation it starts from.
    """

    rows: Count = 2000
    iterations: Count = 50
    seed: Seed = 0


class SSQ(Projection[SSQConfig]):
    """Components and rotation as in ITQ, on a random sub-matrix, then applied to all rows."""

    name: ClassVar[str] = "ssq"
    title: ClassVar[str] = "Sub-Selective Quantization for Large-Scale Image Search"
    year: ClassVar[int] = 2014
    keeps: ClassVar[str] = "the features' variance, learned fast"
    config_type: ClassVar[type[Any]] = SSQConfig

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.config.seed)
        drawn = features[torch.randperm(len(features), generator=generator)[: self.config.rows]]
        mean, components = principal_components(drawn, self.setting.bits)
        rotation = rotate_to_cube((drawn - mean) @ components, self.config.iterations, generator)
        weight = (components @ rotation).T
        return weight, -(weight @ mean)
