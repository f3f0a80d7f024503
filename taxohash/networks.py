"""Hashing networks: a backbone by name, its preprocessing, and one linear hash layer.

Backbones: `small-resnet`, trained from scratch; `efficientnet_lite0` with its ImageNet weights (extra
`pretrained`); and `timm/NAME` for each of timm's, with the weights that timm finds, where timm is installed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from taxohash import efficientnet
from taxohash.codes import Codes, pack
from taxohash.errors import TaxohashError
from taxohash.images import Pixels, Preprocessing
from taxohash.runtime.progress import bars
from taxohash.staging import at_once


class HashingNetwork(nn.Module):
    """uint8[n, C, H, W] -> float[n, outputs]: normalisation, backbone, hash layer; the code is the sign.

    No activation follows the hash layer (SHPDH, section 3.1). Normalisation is part of the graph, so
    that an exported network takes raw pixels. `code` is the identity while the network learns; for an
    objective that makes its bits of other outputs, a trained network ends with its code layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, width: int, outputs: int, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        shape = (1, preprocessing.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape), persistent=False)
        self.backbone = backbone
        self.hash = nn.Linear(width, outputs)
        self.code: nn.Module = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images.float() - self.mean) / self.std
        outputs: Tensor = self.code(self.hash(self.backbone(normalised)))
        return outputs


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.body(x) + self.shortcut(x))


# Channels of the stages: what two cores train on 60,000 images in a minute and a half.
SMALL_WIDTHS = (16, 32, 64)


class SmallResNet(nn.Sequential):
    """A residual network for 28 to 64 px, shaped for two CPU cores: it leaves full resolution at once."""

    def __init__(self, channels: int, widths: tuple[int, ...] = SMALL_WIDTHS) -> None:
        stem = [
            nn.Conv2d(channels, widths[0], 5, 2, 2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        stages = [ResidualBlock(widths[0], widths[0], 1)]
        stages += [ResidualBlock(a, b, 2) for a, b in pairwise(widths)]
        super().__init__(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True)
class Backbone:
    """How to make a backbone.

    Attributes:
        preprocessing: of its images, from size and number of channels.
        make: from preprocessing and whether pretrained weights are wanted, where there are some; the module,
            which takes normalised images, and the width of its output.
        sizes: smallest and largest input it is made for, in pixels.
        channels: numbers of input channels it can have.
    """

    preprocessing: Callable[[int, int], Preprocessing]
    make: Callable[[Preprocessing, bool], tuple[nn.Module, int]]
    sizes: tuple[int, int]
    channels: tuple[int, ...]


def _small_preprocessing(size: int, channels: int) -> Preprocessing:
    return Preprocessing(size, channels, "pad", (127.5,) * channels, (64.0,) * channels)  # type: ignore[arg-type]


def _efficientnet_lite0(preprocessing: Preprocessing, pretrained: bool) -> tuple[nn.Module, int]:
    return efficientnet.EfficientNetLite0(preprocessing.size, pretrained), efficientnet.WIDTH


BACKBONES: dict[str, Backbone] = {
    "small-resnet": Backbone(
        _small_preprocessing,
        lambda preprocessing, _: (SmallResNet(preprocessing.channels), SMALL_WIDTHS[-1]),
        (16, 64),
        (1, 3),
    ),
    "efficientnet_lite0": Backbone(
        lambda size, _: efficientnet.preprocessing(size), _efficientnet_lite0, (64, 320), (3,)
    ),
}
TIMM = "timm/"


def find_backbone(name: str) -> Backbone:
    """The backbone with this name.

    Raises:
        TaxohashError: there is none, or it is one of timm's and timm is not installed.
    """
    if name.startswith(TIMM):
        return _timm_backbone(name)
    if name not in BACKBONES:
        raise TaxohashError(f"network {name!r} is not known: use one of {', '.join(BACKBONES)}, {TIMM}NAME")
    return BACKBONES[name]


def _timm_backbone(name: str) -> Backbone:
    try:
        timm: Any = importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another torch
        raise TaxohashError(f"network {name!r} needs timm ({error}): install timm and torchvision") from None
    kind = name.removeprefix(TIMM)
    if not timm.is_model(kind):
        raise TaxohashError(f"network {name!r}: timm has no model {kind!r}, see timm.list_models()")
    published = timm.get_pretrained_cfg(kind)
    scaled = [tuple(255.0 * value for value in values) for values in (published.mean, published.std)]
    side = published.input_size[-1]

    def make(preprocessing: Preprocessing, pretrained: bool) -> tuple[nn.Module, int]:
        try:
            module = timm.create_model(kind, pretrained=pretrained, num_classes=0)
        except Exception as error:  # timm, the hub's client and the network below them raise many kinds
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TaxohashError(f"network {name!r} cannot be made ({reason}): choose another") from None
        return module, getattr(module, "head_hidden_size", None) or module.num_features

    return Backbone(
        lambda size, _: Preprocessing(size, 3, "crop", *scaled),
        make,
        (side, side) if published.fixed_input_size else (32, 1024),
        (3,),
    )


def network(name: str, outputs: int, size: int, channels: int, pretrained: bool = True) -> HashingNetwork:
    """A new network; `pretrained` where its backbone has such weights and they will not be replaced.

    Raises:
        TaxohashError: unknown name, a size or number of channels it is not made for, or a package or weights
            it needs are not there.
    """
    known = find_backbone(name)
    low, high = known.sizes
    if not low <= size <= high:
        raise TaxohashError(
            f"network {name!r} takes images of {low} to {high} px, not {size}: choose --size in that range"
        )
    if channels not in known.channels:
        takes = " or ".join({1: "grey (1)", 3: "RGB (3)"}[n] for n in known.channels)
        raise TaxohashError(f"channels = {channels}: network {name!r} takes images in {takes}")
    preprocessing = known.preprocessing(size, channels)
    backbone, width = known.make(preprocessing, pretrained)
    return HashingNetwork(backbone, width, outputs, preprocessing)


def encode_pixels(
    network: HashingNetwork, pixels: Pixels, what: str = "encoding", batch: int | None = None
) -> Codes:
    """Packed codes uint8[N, ceil(bits/8)] of preprocessed images uint8[N, C, H, W]."""
    parts = []
    network.eval()
    batch = batch or at_once(pixels.shape[1:])
    with bars() as progress, torch.inference_mode():
        task = progress.add_task(what, total=len(pixels), note="")
        for start in range(0, max(len(pixels), 1), batch):
            outputs = network(torch.from_numpy(pixels[start : start + batch]))
            parts.append(pack(outputs.numpy()))
            progress.update(task, advance=len(outputs))
    return np.concatenate(parts)
