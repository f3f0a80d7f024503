"""How an objective is minimised: plain data, so that pipelines and finished runs know it without torch."""

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from taxohash.errors import TaxohashError


@dataclass(frozen=True)
class TrainingConfig:
    """How an objective is minimised.

    Attributes:
        epochs: passes over the training set.
        batch: images a step.
        optimiser: `adam` (decoupled weight decay) or `sgd` (Nesterov momentum 0.9).
        lr: the highest learning rate; it rises over the first `warmup` share of the steps and falls
            linearly to zero.
        weight_decay: of every weight but biases and batch-norm scales.
        clip: longest gradient; the first steps towards random centres can be steep.
        seed: of weights, order and augmentation.
        augment: `crop` pads each image by an eighth of its side and takes a random window of its own
            size; `crop-flip` also mirrors every other one.
        precision: of the network's products: `bfloat16` by autocast, `float32`, or `auto`, which is
            bfloat16 on CUDA and float32 on CPU. Weights, loss and objective are float32 always.
    """

    epochs: int = 7
    batch: int = 128
    optimiser: Literal["adam", "sgd"] = "sgd"
    lr: float = 0.1
    warmup: float = 0.2
    weight_decay: float = 5e-4
    clip: float = 5.0
    seed: int = 0
    augment: Literal["none", "crop", "crop-flip"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "lr", "clip"):
            if not getattr(self, name) > 0:
                raise TaxohashError(f"{name} = {getattr(self, name)}: give a positive number")
        for name, hint in get_type_hints(type(self)).items():
            if (value := getattr(self, name)) not in (get_args(hint) or (value,)):
                raise TaxohashError(f"{name} = {value!r}: use one of {', '.join(get_args(hint))}")
