"""Which network suits the pictures of a data set, and what its input is."""

from dataclasses import field
from typing import Literal

from taxohash.datasets.shape import PictureShape
from taxohash.runtime.configuration import Count, configuration
from taxohash.training.config import HasherConfig, NetworkConfig

# Input of a frozen backbone that nobody chose, in pixels: of 64, 96 and 128 the best on held-out training images of
# four small catalogues, whose pictures had 32 to 170 px.
FROZEN_SIZE = 128
# Grey pictures up to this size are digits and the like, of which a backbone for photographs knows nothing.
DIGITS = 32


@configuration
class ShapedNetworkConfig(NetworkConfig):
    """A network whose input is known.

    Attributes:
        name: of the backbone: small-resnet, efficientnet_lite0 or timm/NAME.
        size: of its input, in pixels.
        channels: of its input, 1 for grey and 3 for RGB.
        freeze: whether the backbone keeps its pretrained weights.
    """

    name: str = field()
    size: Count = field()
    channels: Literal[1, 3] = field()
    freeze: bool = False


def shaped(hasher: HasherConfig, pictures: PictureShape) -> ShapedNetworkConfig:
    """The network as it was chosen, or what suits the pictures where it was not.

    The size is the median of the pictures' longer sides within what the backbone takes, and FROZEN_SIZE for the frozen
    backbone of `auto`. The input is grey if all pictures are; but a pretrained backbone takes RGB, whatever they are.

    Args:
        hasher: as `completed` returned it.

    Raises:
        TaxohashError: a size or number of channels that the network is not made for.
    """
    from taxohash.networks.automatic import AUTO, PRETRAINED, SMALL
    from taxohash.networks.backbones import find_backbone

    chosen = hasher.network
    name, freeze, fitting = chosen.name, bool(chosen.freeze), pictures.size
    if name == AUTO:
        digits = pictures.all_grey and pictures.size <= DIGITS
        freeze = freeze or not digits
        name, fitting = (PRETRAINED, FROZEN_SIZE) if freeze else (SMALL, pictures.size)
    known = find_backbone(name)
    low, high = known.sizes
    size = chosen.size or min(max(fitting, low), high)
    channels = chosen.channels or (1 if pictures.all_grey and 1 in known.channels else 3)
    find_backbone(name, size, channels)
    return ShapedNetworkConfig(name=name, size=size, channels=channels, freeze=freeze)
