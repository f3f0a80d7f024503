"""Tree-code hashing: the bits are the Bayes decision over class codes laid out like the tree, and what is left beside it.

Ours; docs/treecode.md gives the reasoning and what was measured.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.tree_layout import tree_code
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import Count, NonNegative, Positive, Seed, Share, configuration


@configuration
class TreeCodeConfig:
    """Hyper-parameters of tree-code hashing.

    Attributes:
        flip: share of bits turned from a parent to each of its children; sets all distances. None for
            min(0.1, 0.4 / levels): in a deep tree the upper levels would else be told apart by no bit.
        coarse: weight of the cross-entropy at each level above the finest.
        shrinkage: weight of the mean squared logit; keeps posteriors modest where images are few.
        sharpness: of the posterior from which the bits are made; 1 takes it as it was learned.
        branches: classifiers behind hidden layers of their own, whose mean decides.
        likeness: weight in each bit of the classes that the image is like, whatever is decided. None for
            min(0.75, bits / 48), and above 100 classes for 100 / classes of that: a short code has no room beside the
            decision, and what an image is like is told by few logits among the noise of all.
        seed: of the class codes.
    """

    flip: Share | None = None
    coarse: NonNegative = 0.5
    shrinkage: NonNegative = 0.0
    sharpness: Annotated[Positive, Field(le=1e6)] = 1.0
    branches: Annotated[Count, Field(le=64)] = 2
    likeness: Annotated[NonNegative, Field(le=1e6)] | None = None
    seed: Seed = 0


class TreeCode(Objective[TreeCodeConfig, Labels]):
    """L = CE(p, y) + coarse sum_k CE(p^k, y^k) + shrinkage mean f^2 with p = softmax(f) over the leaves.

    p^k, the posterior of a coarser level, is the sum over the leaves below each node. Each branch of the network has one
    output a leaf, and a loss of its own; the mean counts. Bits are the signs of

        sum_y p_y c_y + likeness g / (2 mean_j |g_j|),    g = sum_y f_y c_y,

    c the class codes, p the branches' mean, f their logits' sum, taken from its mean. The first term's signs alone are, of
    all codes, the one with the least expected Hamming distance to the code of the image's class. g is what that sum tends to
    where the posterior is flattened: it moves the bits that the posterior leaves open to where similar images have them.
    """

    name: ClassVar[str] = "treecode"
    title: ClassVar[str] = "Tree-code hashing (taxohash)"
    year: ClassVar[int] = 2026
    supervision: ClassVar[Kinds] = (Labels,)
    hierarchical: ClassVar[bool] = True
    keeps: ClassVar[str] = "every level, in class codes laid out like the tree"
    config_type: ClassVar[type[Any]] = TreeCodeConfig

    def __init__(self, setting: Setting, config: TreeCodeConfig) -> None:
        super().__init__(setting, config)
        flip = min(0.1, 0.4 / setting.taxonomy.depth) if config.flip is None else config.flip
        codes = tree_code(setting.taxonomy, setting.bits, flip, config.seed)
        self.register_buffer("codes", torch.from_numpy(codes).to(torch.get_default_dtype()))
        self.register_buffer("ancestors", setting.ancestors, persistent=False)

    @property
    def width(self) -> int:
        return self.config.branches * len(self.setting.taxonomy)

    @classmethod
    def branches(cls, config: TreeCodeConfig) -> int:
        return config.branches

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs = batch.outputs.reshape(-1, len(self.setting.taxonomy))  # of an image, one row a branch
        labels = batch.supervision.labels.repeat_interleave(self.config.branches)
        taxonomy, ancestors = self.setting.taxonomy, self.get_buffer("ancestors")
        leaves = torch.log_softmax(outputs, dim=1)
        terms = {f"class_{taxonomy.levels[-1]}": nll_loss(leaves, labels)}
        for level, name in enumerate(taxonomy.levels[:-1]):
            nodes = _log_sums(leaves, ancestors[:, level], taxonomy.class_count(level))
            terms[f"class_{name}"] = self.config.coarse * nll_loss(nodes, ancestors[labels, level])
        terms["shrinkage"] = self.config.shrinkage * outputs.square().mean()
        return terms

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        expected: Tensor = self.code_layer(self.state_dict(), self.config)(outputs)
        return expected

    @classmethod
    def code_layer(cls, state: Mapping[str, Tensor], config: TreeCodeConfig) -> nn.Module:
        codes = state["codes"]
        likeness = _likeness(*codes.shape) if config.likeness is None else config.likeness
        return ExpectedCode(codes, config.branches, config.sharpness, likeness)

    def class_codes(self) -> Tensor:
        return self.get_buffer("codes")


class ExpectedCode(nn.Module):
    """float[n, branches * C] logits -> float[n, bits]: the class codes' mean under the posterior, and under the logits."""

    codes: Tensor

    def __init__(self, codes: Tensor, branches: int, sharpness: float, likeness: float) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)
        self.branches, self.sharpness, self.likeness = branches, sharpness, likeness

    def forward(self, outputs: Tensor) -> Tensor:
        logits = outputs.reshape(-1, self.branches, len(self.codes))
        expected = torch.softmax(self.sharpness * logits, dim=2).mean(dim=1) @ self.codes
        like = (logits - logits.mean(dim=2, keepdim=True)).sum(dim=1) @ self.codes
        scale = (2 * like.abs().mean(dim=1, keepdim=True)).clamp_min(torch.finfo(like.dtype).tiny)
        return expected + self.likeness * like / scale


def _likeness(classes: int, bits: int) -> float:
    """What held-out rows spoke for."""
    return min(0.75, bits / 48) * min(1.0, 100 / classes)


def _log_sums(leaves: Tensor, parents: Tensor, count: int) -> Tensor:
    """log of the summed probabilities of the leaves below each of `count` nodes: float[n, count].

    The greatest leaf is taken out first, so that no sum is lost to rounding.
    """
    index = parents.expand_as(leaves)
    greatest = torch.full((len(leaves), count), -torch.inf, device=leaves.device)
    greatest = greatest.scatter_reduce(1, index, leaves.detach(), "amax")
    sums = torch.zeros_like(greatest).scatter_add(1, index, (leaves - greatest.gather(1, index)).exp())
    return greatest + sums.log()
