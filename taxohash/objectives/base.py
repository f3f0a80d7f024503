"""What an objective is: a loss over network outputs, the state it owns, and what it tells about itself.

The training loop knows no method by name. A new method is one new file in this package with one
subclass of `Objective`; it is found by its `name`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from taxohash.taxonomy import Taxonomy

Supervision = Literal["labels per level", "labels", "pairs", "triplets", "multi-label", "none"]
ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class Setting:
    """What an objective is built for.

    Attributes:
        bits: length of the code.
        taxonomy: the label tree.
        labels: int64[N], the label of every training image.
    """

    bits: int
    taxonomy: Taxonomy
    labels: Tensor

    @property
    def ancestors(self) -> Tensor:
        """int64[labels, K], coarse -> fine."""
        return torch.from_numpy(self.taxonomy.ancestors).long()


class Objective(nn.Module, Generic[ConfigT]):
    """A published way to learn codes.

    Learnable state is a Parameter, other state a buffer, so that a checkpoint holds all of it. State is made in
    torch's default dtype and losses follow it, so that the tests can trace them in float64.

    Class attributes:
        name: as given to `--objective`.
        title, year: of the paper.
        supervision: what it learns from.
        keeps: what its codes keep, in a few words.
        config_type: its hyper-parameters, a frozen dataclass with the paper's values as defaults.
        binary: whether it is searched by the signs of its outputs; else by real vectors.
        wants_outputs: whether `end_epoch` is to be called with the outputs of the whole training set.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    year: ClassVar[int]
    supervision: ClassVar[Supervision]
    keeps: ClassVar[str]
    config_type: ClassVar[type[Any]]
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

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch `epoch` of `epochs`, counted from 0: schedules go here."""

    def loss(self, outputs: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Weighted terms of the loss, to be added up.

        Args:
            outputs: float[n, width] of the network, before any activation.
            labels: int64[n].
            rows: int64[n], the images' rows in the training set.
        """
        raise TypeError(f"objective {self.name!r} defines no loss")

    def end_epoch(self, outputs: Tensor, labels: Tensor) -> None:
        """Called after each epoch with float[N, width], int64[N] of all training rows, in their order."""

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        """What is compared in search, from float[n, width] outputs: float[n, any].

        Of a binary method the signs count, by Hamming distance; of another the values, by Euclidean
        distance, where queries may take another form than the database.
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


class Projection(Objective[ConfigT]):
    """A method without a network of its own: its hash layer on given features is solved, not descended to."""

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The hash layer, weight float[bits, D] and bias float[bits], from features float[N, D]."""
        raise NotImplementedError
