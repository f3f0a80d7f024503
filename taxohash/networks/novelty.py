"""Novelty: how unlike what a backbone was shown a picture is, by its features. docs/calibration.md gives reason and numbers."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taxohash.networks.hashing import HashingNetwork

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
DIRECTIONS = 128  # in which features differ most; half of them all where these are fewer
# Variance that every direction has in any case, in multiples of the mean of the others.
RIDGE = 5.0
SMALLEST = 1e-5  # variance of a picture's features that is taken for something
LEAST = 1e-6  # of that mean; all variances together are at most the number of features


class Novelty(nn.Module):
    """float[n, D] features -> float[n]: squared Mahalanobis distance to the nearest class, of features taken to mean 0, variance 1.

    The covariance is one for all classes, that within them, with a ridge: in the few directions in which the features differ most
    it is measured, in the others it is taken to be the same everywhere. What they have there, classes or not, is the
    sharper sign: a picture of another kind leaves the subspace of the known ones. Its lengths say little: noise and
    plain colours have short features.

    Attributes:
        mean: float32[D], of the features.
        directions: float32[D, d], orthonormal.
        scale: float32[d], what a distance in each direction counts.
        centres: float32[C, d], of the classes, in these directions and scales.
        rest: what a squared distance in all other directions counts.
    """

    mean: Tensor
    directions: Tensor
    scale: Tensor
    centres: Tensor
    rest: Tensor

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name in ("mean", "directions", "scale", "centres", "rest"):
            self.register_buffer(name, state[name])

    @classmethod
    def fitted(cls, features: Features, classes: Integers) -> Self:
        """Of features float32[N, D], N >= 2, of pictures that a network was trained on, and their classes int[N]."""
        known: Floats = _even(torch.from_numpy(features)).double().numpy()
        mean: Floats = known.mean(axis=0)
        known -= mean
        width = known.shape[1]
        kept = min(DIRECTIONS, width // 2)
        variances, axes = np.linalg.eigh(known.T @ known / len(known))
        axes = axes[:, ::-1][:, :kept]
        other = max(float(variances[: width - kept].mean()), LEAST)
        seen = known @ axes
        _, which, counts = np.unique(classes, return_inverse=True, return_counts=True)
        centres: Floats = np.zeros((len(counts), kept))
        np.add.at(centres, which, seen)
        centres /= counts[:, None]
        within = seen - centres[which]
        spread, turn = np.linalg.eigh(within.T @ within / len(within))
        scale: Floats = 1 / np.sqrt(spread.clip(min=0) + RIDGE * other)
        arrays = {
            "mean": mean,
            "directions": axes @ turn,
            "scale": scale,
            "centres": centres @ turn * scale,
            "rest": np.array(1 / (other * (1 + RIDGE))),
        }
        return cls({name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()})

    def forward(self, features: Tensor) -> Tensor:
        centred = _even(features) - self.mean
        inside = centred @ self.directions
        outside = (centred.square().sum(dim=1) - inside.square().sum(dim=1)).clamp_min(0)
        scaled = inside * self.scale
        squares = scaled.square().sum(dim=1, keepdim=True) + self.centres.square().sum(dim=1)
        nearest = (squares - 2 * scaled @ self.centres.T).clamp_min(0).amin(dim=1)
        novelty: Tensor = nearest + self.rest * outside
        return novelty


class Watched(nn.Module):
    """A hashing network that tells, beside its outputs, how new to it what it is shown is: float[n, bits] and float[n]."""

    def __init__(self, network: HashingNetwork, novelty: Novelty) -> None:
        super().__init__()
        self.network, self.novelty = network, novelty

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(images)
        return self.network.outputs(features), self.novelty(features)


def _even(features: Tensor) -> Tensor:
    """Each picture's features with mean 0 and variance 1; zeros where they are all the same."""
    centred = features.float() - features.float().mean(dim=1, keepdim=True)
    even: Tensor = centred * (centred.square().mean(dim=1, keepdim=True) + SMALLEST).rsqrt()
    return even
