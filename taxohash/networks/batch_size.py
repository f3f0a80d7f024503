"""How many items a network is best given at once when it only encodes."""

from collections.abc import Sequence

import torch

# Images encoded at once. On a CPU what a layer makes of them should stay in its caches: EfficientNet-Lite0 encodes
# three to four times as many images of 96 px a second in batches of 32 as in batches of 500.
AT_ONCE = 500
PIXELS_AT_ONCE = 300_000


def at_once(shape: Sequence[int], device: str = "cpu") -> int:
    """How many items of a shape, images (C, H, W) or features (D), a network is best given when it only encodes."""
    if torch.device(device).type != "cpu" or len(shape) < 3:
        return AT_ONCE
    return min(max(PIXELS_AT_ONCE // (shape[-2] * shape[-1]), 8), AT_ONCE)
