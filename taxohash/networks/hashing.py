"""Hashing networks: a backbone, its preprocessing, and one linear hash layer."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from taxohash.codes import Codes, pack
from taxohash.images import READER, Pixels, Preprocessing
from taxohash.networks.backbones import find_backbone
from taxohash.networks.batch_size import at_once
from taxohash.runtime.progress import bars


class HashingNetwork(nn.Module):
    """uint8[n, C, H, W] -> float[n, outputs]: normalisation, backbone, hash layer; the code is the sign.

    No activation follows the hash layer (SHPDH, section 3.1). Normalisation is part of the graph, so
    that an exported network takes raw pixels. `code` is the identity while the network learns; for an
    objective that makes its bits of other outputs, a trained network ends with its code layer. In training mode the
    outputs of linear heads on the backbone, for objectives that ask for such, follow those of the hash layer.
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
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        shape = (1, preprocessing.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape), persistent=False)
        self.backbone = backbone
        self.hash = nn.Linear(width, outputs)
        self.code: nn.Module = nn.Identity()
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in (heads or {}).items()})

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images.float() - self.mean) / self.std
        features = self.backbone(normalised)
        outputs: Tensor = self.code(self.hash(features))
        if self.training and self.heads:
            outputs = torch.cat([outputs, *(head(features) for head in self.heads.values())], dim=1)
        return outputs


def network(
    name: str,
    outputs: int,
    size: int,
    channels: int,
    pretrained: bool = True,
    heads: Mapping[str, int] | None = None,
    reader: int = READER,
) -> HashingNetwork:
    """A new network; `pretrained` where its backbone has such weights and they will not be replaced.

    Args:
        outputs: of the hash layer.
        size: height and width of its images in pixels.
        channels: of its images, 1 or 3.
        heads: names and sizes of outputs beside the hash layer's, in training mode.
        reader: version of the reader of its images.

    Raises:
        TaxohashError: unknown name or reader, a size or number of channels it is not made for, or a package or weights
            it needs are not there.
    """
    known = find_backbone(name, size, channels)
    preprocessing = replace(known.preprocessing(size, channels), reader=reader)
    backbone, width = known.make(preprocessing, pretrained)
    return HashingNetwork(backbone, width, outputs, preprocessing, heads)


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
