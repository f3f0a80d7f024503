"""What decides a hasher: one tree of plain data, so that commands, pipelines and finished runs know it without torch.

A new option is a new field here, or in an objective's own configuration, and nowhere else: flags, the
pipeline's parameter, the run's folder and cache keys are made of the fields.
"""

import math
from dataclasses import field, replace
from typing import Annotated, Literal, Self

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import (
    Count,
    JsonObject,
    NonNegative,
    Positive,
    Seed,
    Share,
    canonical,
    configuration,
    plain,
)

# Images that a training shows where nobody says how many passes: a small set needs more of them than a large one.
SHOWN, FEWEST_PASSES, MOST_PASSES = 100_000, 7, 100


@configuration
class ObjectiveConfig:
    """What is minimised.

    Attributes:
        name: see `taxohash methods`.
        options: hyper-parameters of the objective; those left out have its defaults.
    """

    name: str = "treecode"
    options: JsonObject = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(canonical(self))


@configuration
class NetworkConfig:
    """What is trained.

    Attributes:
        name: of the backbone: small-resnet, efficientnet_lite0 or timm/NAME; `auto` is efficientnet_lite0, frozen, where
            the extra `pretrained` is installed, else, and for small grey images, images to be augmented or a size that
            it is not made for, small-resnet.
        size: of its input, in pixels; if left out, the median of the images' longer sides, or 128 for what `auto` freezes.
        channels: of its input, 1 for grey and 3 for RGB; grey if all images are, where the backbone takes it, if left out.
        freeze: whether the backbone keeps its pretrained weights, so that a hidden layer and the hash layer alone learn, on
            features that are computed once; if left out, only what `auto` chose does.
    """

    name: str = "auto"
    size: Count | None = None
    channels: Literal[1, 3] | None = None
    freeze: bool | None = None


@configuration
class TrainingConfig:
    """How an objective is minimised.

    Attributes:
        epochs: passes over the training set; if left out, as many as show 100,000 images, at least 7 and at most 100.
        batch: images a step.
        optimiser: `adam` (decoupled weight decay) or `sgd` (Nesterov momentum 0.9).
        lr: the highest learning rate; it rises over the first `warmup` share of the steps and falls
            linearly to zero.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: of every weight but biases and batch-norm scales.
        clip: longest gradient; the first steps towards random centres can be steep.
        seed: of weights, order and augmentation.
        augment: `crop` pads each image by an eighth of its side and takes a random window of its own
            size; `crop-flip` also mirrors every other one.
        precision: of the network's products: `bfloat16` by autocast, `float32`, or `auto`, which is
            bfloat16 on CUDA and float32 on CPU. Weights, loss and objective are float32 always.
    """

    epochs: Count | None = None
    batch: Annotated[Count, Field(le=1_000_000)] = 128
    optimiser: Literal["adam", "sgd"] = "sgd"
    lr: Positive = 0.1
    warmup: Share = 0.2
    weight_decay: NonNegative = 5e-4
    clip: Positive = 5.0
    seed: Seed = 0
    augment: Literal["none", "crop", "crop-flip"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def passes(self, images: int) -> int:
        """The epochs over a training set of so many images."""
        return self.epochs or min(max(math.ceil(SHOWN / max(images, 1)), FEWEST_PASSES), MOST_PASSES)


@configuration
class HasherConfig:
    """What decides a hasher, but for the data it learns from.

    Attributes:
        objective: what is minimised.
        bits: length of the code.
        network: what is trained.
        training: how it is trained.
    """

    objective: ObjectiveConfig = ObjectiveConfig()
    bits: Annotated[int, Field(ge=16, le=256)] = 48
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()

    def completed(self) -> Self:
        """The same with all options of the objective written out, checked as far as it can be without data.

        `auto` is written out as the small network where it can be no other, so that who installs more later makes another
        run. Loads torch, which objectives and networks need.

        Raises:
            TaxohashError: an unknown objective, option or network, an objective that trains no network with
                binary codes, a size or number of channels that the network is not made for, or a backbone to be frozen
                that cannot be.
        """
        from taxohash.networks.automatic import AUTO, SMALL, check_choice, only_small
        from taxohash.objectives import configured

        chosen, augment = self.network, self.training.augment
        check_choice(chosen.name, chosen.size, chosen.channels, chosen.freeze)
        if chosen.freeze and augment != "none":
            raise TaxohashError(
                f"augment = {augment!r}: features of a frozen backbone are computed once, of images as they "
                "are: use augment = 'none' or freeze = false"
            )
        _check_trainable(self.objective.name)
        options = plain(configured(self.objective.name, self.objective.options))
        if chosen.name == AUTO and only_small(chosen.size, chosen.channels, chosen.freeze, augment):
            chosen = replace(chosen, name=SMALL)
            check_choice(chosen.name, chosen.size, chosen.channels, chosen.freeze)
        return replace(self, objective=replace(self.objective, options=options), network=chosen)


def _check_trainable(name: str) -> None:
    from taxohash.objectives import objective, objectives
    from taxohash.training.supervise import trains

    if not trains(objective(name)):
        known = ", ".join(other for other, kind in objectives().items() if trains(kind))
        raise TaxohashError(f"objective {name!r} trains no network with binary codes: use one of {known}")
