"""Trains small networks without batch norm by several objectives; run by one process or, by torchrun, several.

python -m tests.support.together FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import nn

from taxohash.images import Preprocessing
from taxohash.networks.hashing import HashingNetwork
from taxohash.objectives import Setting, build, objectives
from taxohash.objectives.supervision import Labels, LabelSets, Supervision, Triplets, Unlabelled
from taxohash.training import distributed
from taxohash.training.checkpoint import save_weights
from taxohash.training.config import HasherConfig, TrainingConfig
from taxohash.training.fit import fit
from taxohash.training.run import train
from tests.support.toy import BITS, TREE
from tests.support.toy_objectives import registered

# Class-wise with centres of its own, class-wise with learned centres, pairs, codes of all rows; and toys with label
# sets, two views, a head, and triplets with both.
OBJECTIVES = (
    *("shpdh", "idcwh", "dpsh", "dsdh"),
    *("toy-sets", "toy-unlabelled", "toy-views", "toy-head", "toy-triplets"),
)
IMAGES, BATCH, SIDE = 49, 15, 8  # neither the set nor a batch nor the last batch divides by two
PREPROCESSING = Preprocessing(SIDE, 3, "pad", (127.5,) * 3, (255.0,) * 3)
LABELS = torch.arange(IMAGES) % len(TREE)
KNOWN: dict[type[Supervision], Supervision] = {
    Labels: Labels(LABELS),
    LabelSets: LabelSets(torch.eye(len(TREE)).bool()[torch.stack([LABELS, LABELS // 2])].any(dim=0)),
    Unlabelled: Unlabelled(IMAGES),
    Triplets: Triplets(torch.arange(3 * 31).reshape(31, 3) * 5 % IMAGES),
}
CONFIG = TrainingConfig(epochs=3, batch=BATCH, lr=0.01, augment="crop-flip")


def main(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    with distributed.group(), registered():
        for name in OBJECTIVES:
            torch.manual_seed(1)
            known = KNOWN[objectives()[name].supervision[0]]
            objective = build(name, Setting(BITS, TREE, known), {})
            backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten())
            network = HashingNetwork(backbone, 72, BITS, PREPROCESSING, objective.heads)
            fit(network, objective, images, CONFIG, folder / name)
            save_weights(folder / name / f"weights-{distributed.rank()}.safetensors", network, objective)
    if (folder / "data").exists():
        train(folder / "data", folder / "run", HasherConfig(bits=16, training=TrainingConfig(epochs=1)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
