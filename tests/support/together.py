"""Trains small networks without batch norm by several objectives; run by one process or, by torchrun, several.

python -m tests.support.together FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import nn

from taxohash.objectives import build
from taxohash.training import distributed
from taxohash.training.checkpoint import save_weights
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import fit
from taxohash.training.run import train
from tests.support.toy import BITS, TREE, setting

# Class-wise with centres of its own, class-wise with learned centres, pairs, codes of all rows.
OBJECTIVES = ("shpdh", "idcwh", "dpsh", "dsdh")
IMAGES, BATCH, SIDE = 49, 15, 8  # neither the set nor a batch nor the last batch divides by two
CONFIG = TrainingConfig(epochs=3, batch=BATCH, lr=0.01, augment="crop-flip")


def main(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    labels = torch.arange(IMAGES) % len(TREE)
    with distributed.group():
        for name in OBJECTIVES:
            torch.manual_seed(1)
            objective = build(name, setting(TREE, labels, BITS), {})
            network = nn.Sequential(
                Scaled(), nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(72, BITS)
            )
            fit(network, objective, images, labels, CONFIG, folder / name)
            save_weights(folder / name / f"weights-{distributed.rank()}.safetensors", network, objective)
    if (folder / "data").exists():
        train(folder / "data", folder / "run", bits=16, training=TrainingConfig(epochs=1))


class Scaled(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() / 255 - 0.5


if __name__ == "__main__":
    main(Path(sys.argv[1]))
