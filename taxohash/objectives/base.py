"""What an objective is: a loss over network outputs, the state it owns, and what it tells about itself.

The training loop knows no method by name. A new method is one new file in this package with one
subclass of `Objective`; it is found by its `name`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from taxohash.objectives.supervision import Kinds, Supervision, Unlabelled
from taxohash.taxonomy import Taxonomy

ConfigT = TypeVar("ConfigT")
SupervisionT = TypeVar("SupervisionT", bound=Supervision)


@dataclass(frozen=True)
class Setting:
    """What an objective is built for.

    Attributes:
        bits: length of the code.
        taxonomy: the label tree.
        supervision: what is known of the training images, in host memory.
    """

    bits: int
    taxonomy: Taxonomy
    supervision: Supervision

    @property
    def ancestors(self) -> Tensor:
        """int64[labels, K], coarse -> fine."""
        return torch.from_numpy(self.taxonomy.ancestors).long()


@dataclass(frozen=True)
class Batch(Generic[SupervisionT]):
    """What a loss sees of a step: n examples, each an image, or the images that are compared.

    Where an example shows m images, or an image is shown in v views, tensors of outputs have further dimensions in
    front: [m, v, n, ...], each only where there are several.

    Attributes:
        outputs: float[n, width] of the network, before any activation.
        supervision: what is known of the n examples.
        rows: int64[n] or [m, n], the images' rows in the training set.
        heads: float[n, size] of each head that the objective asks for, by name.
    """

    outputs: Tensor
    supervision: SupervisionT
    rows: Tensor
    heads: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(nn.Module, Generic[ConfigT, SupervisionT]):
    """A published way to learn codes.

    Learnable state is a Parameter, other state a buffer, so that a checkpoint holds all of it. State is made in
    torch's default dtype and losses follow it, so that the tests can trace them in float64.

    Class attributes:
        name: as given to `--objective`.
        title, year: of the paper.
        supervision: the kinds that its loss takes; of those a data set can give, the first is chosen.
        hierarchical: whether it reads the levels of the tree above the labels.
        keeps: what its codes keep, in a few words.
        config_type: its hyper-parameters, a frozen dataclass with the paper's values as defaults.
        smallest_batch: examples of a batch that its loss compares; 1 where each counts for itself.
        views: how many differently augmented views of an image its loss compares.
        binary: whether it is searched by the signs of its outputs; else by real vectors.
        wants_outputs: whether `end_epoch` is to be called with the outputs of the whole training set.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    year: ClassVar[int]
    supervision: ClassVar[Kinds]
    hierarchical: ClassVar[bool] = False
    keeps: ClassVar[str]
    config_type: ClassVar[type[Any]]
    smallest_batch: ClassVar[int] = 1
    views: ClassVar[int] = 1
    binary: ClassVar[bool] = True
    wants_outputs: ClassVar[bool] = False

    def __init__(self, setting: Setting, config: ConfigT) -> None:
        super().__init__()
        self.setting = setting
        self.config = config

    @property
    def width(self) -> int:
        """Outputs of the network: one a bit, unless the method makes its bits, or real vectors, of others."""
        return self.setting.bits

    @property
    def heads(self) -> Mapping[str, int]:
        """Names and sizes of outputs beside the hash layer's: linear heads on the backbone, while it trains."""
        return {}

    @classmethod
    def branches(cls, config: ConfigT) -> int:
        """Equal parts of the outputs, each with a hidden layer of its own where the backbone is frozen."""
        return 1

    @classmethod
    def learns_from(cls) -> str:
        """What it learns from, in words."""
        return " or ".join(kind.name for kind in cls.supervision) + " per level" * cls.hierarchical

    @classmethod
    def makes(cls) -> str:
        """What it makes, in words."""
        return "a network, binary codes" if cls.binary else "a network, real vectors"

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch `epoch` of `epochs`, counted from 0: schedules go here."""

    def loss(self, batch: Batch[SupervisionT]) -> dict[str, Tensor]:
        """Weighted terms of the loss, to be added up."""
        raise TypeError(f"objective {self.name!r} defines no loss")

    def end_epoch(self, outputs: Tensor, supervision: SupervisionT) -> None:
        """Called after each epoch with float[N, width] of all training images, in their order, and what is known."""

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        """What is compared in search, from float[n, width] outputs: float[n, any].

        Of a binary method the signs are the code. A query ranks codes by the Hamming distance to its own, or by weights: the
        sum of its magnitudes over the bits in which they differ. Of another method the values count, by Euclidean distance,
        where queries may take another form than the database.
        """
        return outputs

    @classmethod
    def code_layer(cls, state: Mapping[str, Tensor], config: ConfigT) -> nn.Module:
        """What follows the trained network of a binary method: float[n, width] -> float[n, bits], signs = code.

        Args:
            state: the objective's learned state; nothing else is needed to encode.
        """
        return nn.Identity()

    def class_codes(self) -> Tensor | None:
        """Learned centres of the finest classes, float[C, bits], where the method has them."""
        return None


AnyObjective = Objective[Any, Any]


class Projection(Objective[ConfigT, Unlabelled]):
    """A method without a network of its own: its hash layer on given features is solved, not descended to."""

    supervision: ClassVar[Kinds] = (Unlabelled,)

    @classmethod
    def makes(cls) -> str:
        return "a projection of features, no network"

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The hash layer, weight float[bits, D] and bias float[bits], from features float[N, D]."""
        raise NotImplementedError
