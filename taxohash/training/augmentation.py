"""Augmentation: random windows of training images, perhaps mirrored. Pure functions, on any device."""

import torch
from torch import Tensor

from taxohash.errors import TaxohashError


def margin(side: int) -> int:
    """Pixels by which a training image is padded on each side: 4 at 32 px, 28 at 224 px."""
    return side // 8


def random_windows(count: int, slack: int, flip: bool, generator: torch.Generator) -> Tensor:
    """int64[count, 3]: top and left within 0 ... slack, and 1 where the window is mirrored.

    The draws are made where the generator lives and do not depend on the images, so that several
    processes draw the same.
    """
    corners = torch.randint(0, slack + 1, (count, 2), generator=generator)
    flips = torch.randint(0, 2 if flip else 1, (count, 1), generator=generator)
    return torch.cat([corners, flips], dim=1)


def random_views(count: int, views: int, slack: int, flip: bool, generator: torch.Generator) -> Tensor:
    """int64[count, views, 3]: windows for several views of each image, one view after the other."""
    return torch.stack([random_windows(count, slack, flip, generator) for _ in range(views)], dim=1)


def crop(images: Tensor, windows: Tensor, size: int, padding: int = 0) -> Tensor:
    """One window of each image, which is padded by its own border first: [n, C, size, size].

    Args:
        images: uint8 or float[n, C, side, side].
        windows: int64[n, 3] on the same device, of `random_windows`.
        size: height and width of the windows, at most side + 2 padding.
        padding: pixels by which the border is repeated on each side.

    Raises:
        TaxohashError: the windows are larger than the padded images.
    """
    n, channels, side, _ = images.shape
    if size > side + 2 * padding:
        raise TaxohashError(
            f"windows of {size} px do not fit in images of {side} + 2 x {padding} px: crop smaller ones"
        )
    top, left, mirrored = windows[:, :1], windows[:, 1:2], windows[:, 2:]
    steps = torch.arange(size, device=images.device)
    columns = torch.where(mirrored == 1, steps.flip(0), steps)
    # Reading beyond the border reads the border: the padded image is never made.
    y = (top + steps - padding).clamp(0, side - 1)
    x = (left + columns - padding).clamp(0, side - 1)
    image = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return images[image, channel, y[:, None, :, None], x[:, None, None, :]]
