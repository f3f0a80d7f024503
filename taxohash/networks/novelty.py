"""Novelty: how unlike what a hasher was made of a picture is, by its features and by its contrasts.

docs/calibration.md gives reasons and numbers.
"""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from taxohash.images import Pixels
from taxohash.networks.hashing import HashingNetwork

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

DIRECTIONS = 256  # in which features differ most; half of them all where these are fewer
# Variance that every direction has in any case, in multiples of the mean of the others.
RIDGE = 2.0
SMALLEST = 1e-5  # variance of a picture's features that is taken for something
LEAST = 1e-6  # variance of a direction, likewise

GRID = 16  # side to which pictures are brought before their contrasts are measured: sharpness does not count
FAINTEST = 1e-4  # squared contrast, of 1 between black and white, that is taken for something
RELATIVE = 1e-3  # of the mean variance of the contrasts, what each has in any case
BLOCK = 500


class Novelty(nn.Module):
    """Features float[n, D] and the images uint8[n, C, H, W] that they are of -> float[n, 2].

    *By features*: the squared Mahalanobis distance to the nearest class, of features brought to mean 0 and variance 1. The
    covariance is one for all classes, that within them, with a ridge: in the few directions in which the features differ most
    it is measured, in the others it is taken to be the same everywhere. How much of a picture lies in these others is the
    sharper sign: it leaves the subspace of the known ones.
    *By contrasts*: the squared Mahalanobis distance of a picture's colour and of its contrasts, from pixel to pixel and from patch to
    patch. A small network that was trained on its pictures alone may see in noise and plain colours what it knows; this does not.

    Attributes:
        mean: float32[D], of the features.
        directions: float32[D, d], orthonormal.
        scale: float32[d], what a distance in each direction counts.
        centres: float32[K, d], of the classes, in these directions and scales.
        rest: what a squared distance in all other directions counts.
        usual: float32[S], mean of the contrasts.
        whitening: float32[S, S], what makes of their differences from it such of variance 1.
    """

    mean: Tensor
    directions: Tensor
    scale: Tensor
    centres: Tensor
    rest: Tensor
    usual: Tensor
    whitening: Tensor
    exact: Tensor
    lengths: Tensor

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name in ("mean", "directions", "scale", "centres", "rest", "usual", "whitening"):
            self.register_buffer(name, state[name])
        # A class is near where it is far from zero, too: of float32 the difference of the squares would have no digit left.
        self.register_buffer("exact", self.centres.double(), persistent=False)
        self.register_buffer("lengths", self.exact.square().sum(dim=1, keepdim=True), persistent=False)

    @classmethod
    def fitted(
        cls, features: Features, pixels: Pixels, classes: Integers, rows: Integers | None = None
    ) -> Self:
        """Of pictures that a hasher was trained on.

        Args:
            features: float32[N, D], N >= 2.
            pixels: uint8[N, C, H, W], what they are of; more, if their `rows` int[N] are given.
            classes: int[N].
        """
        of = np.arange(len(features)) if rows is None else rows
        blocks = (pixels[of[start : start + BLOCK]] for start in range(0, len(of), BLOCK))
        arrays = _of_features(features, classes) | _of_contrasts(blocks)
        return cls({name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()})

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        centred = _even(features) - self.mean
        inside = centred @ self.directions
        outside = (centred.T - self.directions @ inside.T).square().sum(dim=0)
        scaled = (inside * self.scale).double().T
        squares = scaled.square().sum(dim=0) + self.lengths
        nearest = (squares - 2 * self.exact @ scaled).clamp_min(0).amin(dim=0).float()
        white = (contrasts(images) - self.usual) @ self.whitening
        return torch.stack([nearest + self.rest * outside, white.square().sum(dim=1)], dim=1)


class Watched(nn.Module):
    """A hashing network that tells, beside its outputs, how new to it what it is shown is: float[n, bits] and float[n, 2]."""

    def __init__(self, network: HashingNetwork, novelty: Novelty) -> None:
        super().__init__()
        self.network, self.novelty = network, novelty

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(images)
        return self.network.outputs(features), self.novelty(features, images)


def contrasts(images: Tensor) -> Tensor:
    """Colour and contrasts of images uint8[n, C, H, W]: float[n, S].

    Of grey, and of red against green and blue against both where there are colours: the mean, and the logarithm of the mean
    squared difference of each pixel from its block of 2 x 2, of each block from the next larger one, and so on; brought to GRID first.
    """
    values = images.float() / 255
    if images.shape[1] == 3:
        red, green, blue = values[:, 0:1], values[:, 1:2], values[:, 2:3]
        values = torch.cat([(red + green + blue) / 3, red - green, blue - (red + green) / 2], dim=1)
    if (cell := int(images.shape[2]) // GRID) > 1:
        values = avg_pool2d(values, cell)
    found: list[Tensor] = []
    channels, side = int(values.shape[1]), int(values.shape[2])
    while side >= 2:
        half = side // 2
        blocks = values[:, :, : half * 2, : half * 2].reshape(-1, channels, half, 2, half, 2)
        coarser = blocks.mean(dim=(3, 5), keepdim=True)
        found.append(((blocks - coarser).square().mean(dim=(2, 3, 4, 5)) + FAINTEST).log10())
        values, side = coarser[:, :, :, 0, :, 0], half
    return torch.cat([values.mean(dim=(2, 3)), *found], dim=1)


def _of_features(features: Features, classes: Integers) -> dict[str, Floats]:
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
    return {
        "mean": mean,
        "directions": axes @ turn,
        "scale": scale,
        "centres": centres @ turn * scale,
        "rest": np.array(1 / (other * (1 + RIDGE))),
    }


def _of_contrasts(blocks: Iterable[Pixels]) -> dict[str, Floats]:
    known: Floats = torch.cat([contrasts(torch.from_numpy(block)) for block in blocks]).double().numpy()
    usual: Floats = known.mean(axis=0)
    known -= usual
    variances, axes = np.linalg.eigh(known.T @ known / len(known))
    ridge = RELATIVE * variances.mean() + LEAST
    return {"usual": usual, "whitening": axes / np.sqrt(variances.clip(min=0) + ridge)}


def _even(features: Tensor) -> Tensor:
    """Each picture's features with mean 0 and variance 1; zeros where they are all the same."""
    centred = features.float() - features.float().mean(dim=1, keepdim=True)
    even: Tensor = centred * (centred.square().mean(dim=1, keepdim=True) + SMALLEST).rsqrt()
    return even
