"""Tree-code hashing: every class is drawn to a vertex of the cube, and the vertices are laid out like the tree.

Ours; docs/treecode.md gives the reasoning and what was measured.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from taxohash.objectives.base import Setting, Supervision
from taxohash.objectives.classwise import class_means
from taxohash.objectives.shpdh import SHPDH, SHPDHConfig
from taxohash.objectives.tree_code import arranged, distance_targets, pair_weights, random_tree_code


@dataclass(frozen=True)
class TreeCodeConfig(SHPDHConfig):
    """Hyper-parameters of tree-code hashing, and those of the SHPDH term in it.

    Attributes:
        flip: share of bits turned from a parent to each of its children; sets all distances.
        shpdh: weight of the whole SHPDH loss beside the code term.
        follow: how strongly the class codes give way to what the network finds easy.
        settled: share of the epochs after which the class codes stay.
        sweeps: over all classes, at each rearrangement.
        seed: of the first class codes.
    """

    flip: float = 0.15
    shpdh: float = 0.3
    follow: float = 6.0
    settled: float = 0.7
    sweeps: int = 30
    seed: int = 0


class TreeCode(SHPDH):
    """L = mean_j log(1 + e^(-2 f_j c_yj)) + shpdh * L_SHPDH, with c_y the code of class y.

    The first term is the binary cross-entropy of CSQ. The codes start as a tree code and, after each
    epoch until they settle, are rearranged to lower
    sum_{i<j} w_ij (d_ij - t_ij)^2 - follow n sum_i <mean tanh f of class i, c_i>.
    """

    name: ClassVar[str] = "treecode"
    title: ClassVar[str] = "Tree-code hashing (taxohash)"
    year: ClassVar[int] = 2026
    supervision: ClassVar[Supervision] = "labels per level"
    keeps: ClassVar[str] = "every level, in class codes laid out like the tree"
    config_type: ClassVar[type[Any]] = TreeCodeConfig

    config: TreeCodeConfig

    def __init__(self, setting: Setting, config: TreeCodeConfig) -> None:
        super().__init__(setting, config)
        first = random_tree_code(setting.taxonomy, setting.bits, config.flip, config.seed)
        self.register_buffer("codes", torch.from_numpy(first).float())
        self.moving = True

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.moving = epoch + 1 <= self.config.settled * epochs

    def loss(self, outputs: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        terms = {"code": softplus(-2 * outputs * self.get_buffer("codes")[labels]).mean()}
        if self.config.shpdh:
            terms |= {
                name: self.config.shpdh * term for name, term in super().loss(outputs, labels, rows).items()
            }
        return terms

    def end_epoch(self, outputs: Tensor, labels: Tensor) -> None:
        super().end_epoch(outputs, labels)
        if self.moving:
            codes = self.get_buffer("codes")
            means = class_means(torch.tanh(outputs), labels, len(codes), torch.zeros_like(codes))
            codes.copy_(self._rearranged(codes.cpu().double(), means.cpu().double()))

    def _rearranged(self, codes: Tensor, means: Tensor) -> Tensor:
        taxonomy, config = self.setting.taxonomy, self.config
        found = arranged(
            codes.numpy(),
            distance_targets(taxonomy, self.setting.bits, config.flip),
            pair_weights(taxonomy),
            config.follow * len(codes) * means.numpy(),
            np.zeros(config.sweeps),
            np.random.default_rng(config.seed),
        )
        return torch.from_numpy(found)

    def class_codes(self) -> Tensor:
        return self.get_buffer("codes")
