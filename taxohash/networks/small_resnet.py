"""A small residual network that is trained from scratch."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu


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
