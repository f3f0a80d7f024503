"""Hashing networks: a backbone, its preprocessing, and one linear hash layer; behind a frozen backbone a hidden one before."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taxohash.codes import Codes, Queries
from taxohash.images import READER, Pixels, Preprocessing
from taxohash.networks.backbones import find_backbone
from taxohash.networks.batch_size import at_once
from taxohash.runtime.progress import bars

HIDDEN = 512  # width of the hidden layer behind a frozen backbone


class HashingNetwork(nn.Module):
    """uint8[n, C, H, W] -> float[n, outputs]: normalisation, backbone, neck, hash layer; the code is the sign.

    No activation follows the hash layer (SHPDH, section 3.1). Normalisation is part of the graph, so
    that an exported network takes raw pixels. `code` is the identity while the network learns; for an
    objective that makes its bits of other outputs, a trained network ends with its code layer. In training mode the
    outputs of linear heads on the backbone, for objectives that ask for such, follow those of the hash layer. A frozen
    backbone cannot bend to the codes: its neck is a hidden layer that can, or one for each branch of the outputs. Else the
    neck does nothing.

    Attributes:
        width: outputs of the backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        width: int,
        outputs: int,
        preprocessing: Preprocessing,
        heads: Mapping[str, int] | None = None,
        hidden: int | None = None,
        branches: int = 1,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        shape = (1, preprocessing.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape), persistent=False)
        self.backbone = backbone
        self.width = width
        self.neck: nn.Module = nn.Identity()
        self.hash = nn.Linear(width, outputs)
        if hidden is not None:
            self.neck, self.hash = hidden_layers(width, hidden, outputs, branches)
            width = branches * hidden
        self.code: nn.Module = nn.Identity()
        sizes = (heads or {}).items()
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes})

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """What the backbone makes of images: float[n, width]."""
        features: Tensor = self.backbone((images.float() - self.mean) / self.std)
        return features

    def outputs(self, features: Tensor) -> Tensor:
        """What the layers after the backbone make of its features."""
        return _outputs(self, features)

    def after_backbone(self) -> nn.Module:
        """The same layers as a network of their own, which takes features and learns with the backbone as it is."""
        return _AfterBackbone(self)


class _AfterBackbone(nn.Module):
    """float[n, width] features -> float[n, outputs], by the layers of a hashing network."""

    def __init__(self, network: HashingNetwork) -> None:
        super().__init__()
        self.neck, self.hash, self.code, self.heads = network.neck, network.hash, network.code, network.heads

    def forward(self, features: Tensor) -> Tensor:
        return _outputs(self, features)


def _outputs(layers: HashingNetwork | _AfterBackbone, features: Tensor) -> Tensor:
    """What the layers after a backbone make of its outputs."""
    features = layers.neck(features)
    outputs: Tensor = layers.code(layers.hash(features))
    if layers.training and layers.heads:
        outputs = torch.cat([outputs, *(head(features) for head in layers.heads.values())], dim=1)
    return outputs


def hidden_layers(width: int, hidden: int, outputs: int, branches: int = 1) -> tuple[nn.Module, nn.Linear]:
    """A neck, float[n, width] -> float[n, branches * hidden], and the hash layer behind it."""
    wide = branches * hidden
    neck = nn.Sequential(nn.Linear(width, wide, bias=False), nn.BatchNorm1d(wide), nn.ReLU())
    return neck, _Branches(hidden, outputs, branches) if branches > 1 else nn.Linear(hidden, outputs)


class _Branches(nn.Linear):
    """float[n, branches * hidden] -> float[n, outputs]: each part of the outputs sees its own part of the features."""

    def __init__(self, hidden: int, outputs: int, branches: int) -> None:
        super().__init__(hidden, outputs)
        self.branches = branches

    def forward(self, features: Tensor) -> Tensor:
        parts = features.reshape(-1, self.branches, self.in_features)
        weights = self.weight.reshape(self.branches, -1, self.in_features)
        return torch.einsum("nbh,boh->nbo", parts, weights).flatten(1) + self.bias


def network(
    name: str,
    outputs: int,
    size: int,
    channels: int,
    pretrained: bool = True,
    heads: Mapping[str, int] | None = None,
    reader: int = READER,
    freeze: bool = False,
    branches: int = 1,
) -> HashingNetwork:
    """A new network; `pretrained` where its backbone has such weights and they will not be replaced.

    Args:
        outputs: of the hash layer.
        size: height and width of its images in pixels.
        channels: of its images, 1 or 3.
        heads: names and sizes of outputs beside the hash layer's, in training mode.
        reader: version of the reader of its images.
        freeze: whether its backbone is to stay as it is; it then has a hidden layer.
        branches: of the outputs, each with a hidden layer of its own.

    Raises:
        TaxohashError: unknown name or reader, a size or number of channels it is not made for, or a package or weights
            it needs are not there.
    """
    known = find_backbone(name, size, channels)
    preprocessing = replace(known.preprocessing(size, channels), reader=reader)
    backbone, width = known.make(preprocessing, pretrained)
    return HashingNetwork(
        backbone, width, outputs, preprocessing, heads, HIDDEN if freeze else None, branches
    )


def encode_pixels(
    network: HashingNetwork, pixels: Pixels, what: str = "encoding", batch: int | None = None
) -> Codes:
    """Packed codes uint8[N, ceil(bits/8)] of preprocessed images uint8[N, C, H, W]."""
    return encode_query_pixels(network, pixels, what, batch).codes


def encode_query_pixels(
    network: HashingNetwork,
    pixels: Pixels,
    what: str = "encoding",
    batch: int | None = None,
    novelty: nn.Module | None = None,
) -> Queries:
    """What preprocessed images uint8[N, C, H, W] ask with; with `novelty`, of features and images, how new they are, too."""
    outputs, new = [], []
    for images, features, made in _batches(network, pixels, what, batch):
        outputs.append(made.numpy())
        if novelty is not None:
            new.append(novelty(features, images).numpy())
    return Queries(np.concatenate(outputs), np.concatenate(new) if new else None)


def encode_with_features(
    network: HashingNetwork, pixels: Pixels, rows: npt.NDArray[np.int64], what: str = "encoding"
) -> tuple[Queries, npt.NDArray[np.float32]]:
    """What all images ask with, and the features float32[rows, width] of some rows, which ascend."""
    outputs, kept, done = [], [], 0
    for _, features, made in _batches(network, pixels, what, None):
        outputs.append(made.numpy())
        first, last = np.searchsorted(rows, (done, done + len(made)))
        kept.append(features.numpy()[rows[first:last] - done])
        done += len(made)
    return Queries(np.concatenate(outputs)), np.concatenate(kept)


def _batches(
    network: HashingNetwork, pixels: Pixels, what: str, batch: int | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Images, their features and outputs, some at a time."""
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # half as fast again on a CPU
    batch = batch or at_once(pixels.shape[1:])
    with bars() as progress, torch.inference_mode():
        task = progress.add_task(what, total=len(pixels), note="")
        for start in range(0, max(len(pixels), 1), batch):
            images = torch.from_numpy(pixels[start : start + batch])
            features = network.features(images)
            outputs = network.outputs(features)
            progress.update(task, advance=len(outputs))
            yield images, features, outputs
