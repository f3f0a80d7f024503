"""Backbones by name, each with its preprocessing.

`small-resnet`, trained from scratch; `efficientnet_lite0` with its ImageNet weights (extra `pretrained`); and
`timm/NAME` for each of timm's, with the weights that timm finds, where timm is installed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing
from taxohash.networks import efficientnet
from taxohash.networks.small_resnet import SMALL_WIDTHS, SmallResNet


@dataclass(frozen=True)
class Backbone:
    """How to make a backbone.

    Attributes:
        preprocessing: of its images, from size and number of channels.
        make: from preprocessing and whether pretrained weights are wanted, where there are some; the module,
            which takes normalised images, and the width of its output.
        sizes: smallest and largest input it is made for, in pixels.
        channels: numbers of input channels it can have.
        pretrained: whether there are weights of it that were learned elsewhere.
    """

    preprocessing: Callable[[int, int], Preprocessing]
    make: Callable[[Preprocessing, bool], tuple[nn.Module, int]]
    sizes: tuple[int, int]
    channels: tuple[int, ...]
    pretrained: bool = True


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
        pretrained=False,
    ),
    "efficientnet_lite0": Backbone(
        lambda size, _: efficientnet.preprocessing(size), _efficientnet_lite0, (64, 320), (3,)
    ),
}
TIMM = "timm/"


def find_backbone(name: str, size: int | None = None, channels: int | None = None) -> Backbone:
    """The backbone with this name; it can take images of `size` pixels and of `channels`, where these are given.

    Raises:
        TaxohashError: there is none, it is one of timm's and timm is not installed, or it is not made for the size
            or the channels.
    """
    if name.startswith(TIMM):
        found = _timm_backbone(name)
    elif name in BACKBONES:
        found = BACKBONES[name]
    else:
        raise TaxohashError(
            f"network {name!r} is not known: use one of {', '.join(BACKBONES)}, {TIMM}NAME, auto"
        )
    low, high = found.sizes
    if size is not None and not low <= size <= high:
        raise TaxohashError(
            f"network {name!r} takes images of {low} to {high} px, not {size}: choose --size in that range"
        )
    if channels is not None and channels not in found.channels:
        takes = " or ".join({1: "grey (1)", 3: "RGB (3)"}[n] for n in found.channels)
        raise TaxohashError(f"channels = {channels}: network {name!r} takes images in {takes}")
    return found


def _timm_backbone(name: str) -> Backbone:
    try:
        timm: Any = importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another torch
        raise TaxohashError(f"network {name!r} needs timm ({error}): install timm and torchvision") from None
    kind = name.removeprefix(TIMM)
    if not timm.is_model(kind):
        raise TaxohashError(f"network {name!r}: timm has no model {kind!r}, see timm.list_models()")
    published = timm.get_pretrained_cfg(kind)
    mean, std = (tuple(255.0 * value for value in values) for values in (published.mean, published.std))
    side = published.input_size[-1]

    def make(preprocessing: Preprocessing, pretrained: bool) -> tuple[nn.Module, int]:
        try:
            module = timm.create_model(kind, pretrained=pretrained, num_classes=0)
        except Exception as error:  # timm, the hub's client and the network below them raise many kinds
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TaxohashError(f"network {name!r} cannot be made ({reason}): choose another") from None
        return module, getattr(module, "head_hidden_size", None) or module.num_features

    return Backbone(
        lambda size, _: Preprocessing(size, 3, "crop", mean, std),
        make,
        (side, side) if published.fixed_input_size else (32, 1024),
        (3,),
        pretrained=timm.is_model_pretrained(kind),
    )
