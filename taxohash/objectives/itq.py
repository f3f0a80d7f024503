"""ITQ: principal components, rotated to the hyper-cube.

Gong and Lazebnik, "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", CVPR 2011.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Projection
from taxohash.objectives.parts.quantisation import signs
from taxohash.runtime.configuration import Count, Seed, configuration


@configuration
class ITQConfig:
    """Hyper-parameters of ITQ.

    Attributes:
        iterations: of the alternation between codes and rotation.
        seed: of the rotation it starts from.
    """

    iterations: Count = 50
    seed: Seed = 0


class ITQ(Projection[ITQConfig]):
    """Minimises ||B - V R||^2 over codes B and rotations R, V the centred features on their q first components."""

    name: ClassVar[str] = "itq"
    title: ClassVar[str] = "Iterative Quantization: A Procrustean Approach to Learning Binary Codes"
    year: ClassVar[int] = 2011
    keeps: ClassVar[str] = "the features' variance"
    config_type: ClassVar[type[Any]] = ITQConfig

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean, components = principal_components(features, self.setting.bits)
        generator = torch.Generator().manual_seed(self.config.seed)
        rotation = rotate_to_cube((features - mean) @ components, self.config.iterations, generator)
        weight = (components @ rotation).T
        return weight, -(weight @ mean)


def principal_components(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean float[D] and the first components float[D, count] of features float[N, D].

    Raises:
        TaxohashError: more components than dimensions.
    """
    if count > features.shape[1]:
        raise TaxohashError(
            f"{count} bits need {count} feature dimensions, not {features.shape[1]}: use fewer bits"
        )
    mean = features.mean(dim=0)
    centred = features - mean
    _, vectors = torch.linalg.eigh(centred.T @ centred)  # eigenvalues ascend
    return mean, vectors[:, -count:].flip(1)


def rotate_to_cube(vectors: Tensor, iterations: int, generator: torch.Generator) -> Tensor:
    """The rotation float[q, q] that brings float[N, q] near to +-1: B = sign(V R), R from the SVD of B'V."""
    start = torch.randn(vectors.shape[1], vectors.shape[1], generator=generator)
    rotation: Tensor = torch.linalg.qr(start.to(vectors))[0]
    for _ in range(iterations):
        left, _, right = torch.linalg.svd(signs(vectors @ rotation).T @ vectors)
        rotation = (left @ right).T
    return rotation
