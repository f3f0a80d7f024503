"""Tree-code hashing: the bits are the Bayes decision over class codes that are laid out like the tree.

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
from taxohash.runtime.configuration import NonNegative, Positive, Seed, Share, configuration

Sharpness = Annotated[Positive, Field(le=1e6)]


@configuration
class TreeCodeConfig:
    """Hyper-parameters of tree-code hashing.

    Attributes:
        flip: share of bits turned from a parent to each of its children; sets all distances. None for
            min(0.1, 0.4 / levels): in a deep tree the upper levels would else be told apart by no bit.
        coarse: weight of the cross-entropy at each level above the finest.
        shrinkage: weight of the mean squared logit; keeps posteriors modest where images are few.
        sharpness: of the posterior from which the bits are made that an index stores; 1 takes it as it was learned.
        query_sharpness: of the posterior by which a query ranks those bits by weights; the lower, the less it is sure of.
        seed: of the class codes.
    """

    flip: Share | None = None
    coarse: NonNegative = 0.5
    shrinkage: NonNegative = 0.0
    sharpness: Sharpness = 1.0
    query_sharpness: Sharpness = 0.5
    seed: Seed = 0


class TreeCode(Objective[TreeCodeConfig, Labels]):
    """L = CE(p, y) + coarse sum_k CE(p^k, y^k) + shrinkage mean f^2 with p = softmax(f) over the leaves.

    p^k, the posterior of a coarser level, is the sum over the leaves below each node. The network has one output
    a leaf, and the code of an image is sign(sum_y p_y c_y), c the class codes: of all codes the one with the
    least expected Hamming distance to the code of the image's class. A query ranks codes by weights with the same sum
    under a posterior that is less sure.
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
        return len(self.setting.taxonomy)

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        taxonomy, ancestors = self.setting.taxonomy, self.get_buffer("ancestors")
        leaves = torch.log_softmax(outputs, dim=1)
        terms = {f"class_{taxonomy.levels[-1]}": nll_loss(leaves, labels)}
        for level, name in enumerate(taxonomy.levels[:-1]):
            nodes = _log_sums(leaves, ancestors[:, level], taxonomy.class_count(level))
            terms[f"class_{name}"] = self.config.coarse * nll_loss(nodes, ancestors[labels, level])
        terms["shrinkage"] = self.config.shrinkage * outputs.square().mean()
        return terms

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        layer = self.query_layer if query else self.code_layer
        expected: Tensor = layer(self.state_dict(), self.config)(outputs)
        return expected

    @classmethod
    def code_layer(cls, state: Mapping[str, Tensor], config: TreeCodeConfig) -> nn.Module:
        return ExpectedCode(state["codes"], config.sharpness)

    @classmethod
    def query_layer(cls, state: Mapping[str, Tensor], config: TreeCodeConfig) -> nn.Module:
        return ExpectedCode(state["codes"], config.query_sharpness)

    def class_codes(self) -> Tensor:
        return self.get_buffer("codes")


class ExpectedCode(nn.Module):
    """float[n, C] logits -> float[n, bits] in [-1, 1]: the class codes' mean under the posterior."""

    codes: Tensor

    def __init__(self, codes: Tensor, sharpness: float) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)
        self.sharpness = sharpness

    def forward(self, logits: Tensor) -> Tensor:
        return torch.softmax(self.sharpness * logits, dim=1) @ self.codes


def _log_sums(leaves: Tensor, parents: Tensor, count: int) -> Tensor:
    """log of the summed probabilities of the leaves below each of `count` nodes: float[n, count].

    The greatest leaf is taken out first, so that no sum is lost to rounding.
    """
    index = parents.expand_as(leaves)
    greatest = torch.full((len(leaves), count), -torch.inf, device=leaves.device)
    greatest = greatest.scatter_reduce(1, index, leaves.detach(), "amax")
    sums = torch.zeros_like(greatest).scatter_add(1, index, (leaves - greatest.gather(1, index)).exp())
    return greatest + sums.log()
