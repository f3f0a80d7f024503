"""SHPDH: class-wise hashing at every level of the tree.

Zhang, Zhe, Ou-Yang, Chen and Yan, "Semantic Hierarchy Preserving Deep Hashing for Large-scale Image
Retrieval", arXiv 1901.11259.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.classwise import class_means, gaussian_logits
from taxohash.objectives.parts.quantisation import cubic_constraint, vertex_constraint
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, Positive, Series, configuration

# 1 / sigma^2 by level, fine -> coarse, as the authors set them for CIFAR-100 and NABirds.
PUBLISHED_INVERSE_VARIANCES = {2: (1.0, 0.5), 4: (1.0, 0.67, 0.5, 0.25)}
# bits / sigma^2 for trees of other depths, chosen on images held out of fashion-mnist's training set (48 bits).
SHARPNESS = 14.4


def default_inverse_variances(depth: int, bits: int) -> tuple[float, ...]:
    """1 / sigma^2 by level, fine -> coarse: published for 2 and 4 levels, else one value for all levels.

    Distances grow with the code, so that value falls with its length.
    """
    return PUBLISHED_INVERSE_VARIANCES.get(depth, (min(1.0, SHARPNESS / bits),) * depth)


def default_level_weights(depth: int) -> tuple[float, ...]:
    """Weights of the levels' losses, fine -> coarse: 1 each where published, else the coarser share 1 evenly."""
    if depth in PUBLISHED_INVERSE_VARIANCES:
        return (1.0,) * depth
    return (1.0, *((1.0 / (depth - 1),) * (depth - 1) if depth > 1 else ()))


@configuration
class SHPDHConfig:
    """Hyper-parameters of SHPDH.

    Attributes:
        inverse_variances: 1 / sigma^2 by level, fine -> coarse; empty for `default_inverse_variances`.
        level_weights: weight of each level's loss, fine -> coarse; empty for `default_level_weights`.
        cubic, vertex: weights of the two constraints; their sum is divided by the number of bits.
        margin: outputs beyond it are pulled back into the hyper-cube.
    """

    inverse_variances: Series[Positive] = ()
    level_weights: Series[NonNegative] = ()
    cubic: NonNegative = 10.0
    vertex: NonNegative = 0.1
    margin: NonNegative = 1.1


class SHPDH(Objective[SHPDHConfig, Labels]):
    """One code for all levels: a Gaussian mixture over classes at each level, wider for coarser ones.

    L = sum_k w_k CE(-s_k/2 ||f - mu^k||^2, y^k) + (lambda_cub L_cub + lambda_ver L_ver) / q,
    with every centre constant within an epoch. After it the finest centres become class means, and each
    coarser centre the unweighted mean of its children's.
    """

    name: ClassVar[str] = "shpdh"
    title: ClassVar[str] = "Semantic Hierarchy Preserving Deep Hashing for Large-scale Image Retrieval"
    year: ClassVar[int] = 2019
    supervision: ClassVar[Kinds] = (Labels,)
    hierarchical: ClassVar[bool] = True
    keeps: ClassVar[str] = "every level of the hierarchy in one code"
    config_type: ClassVar[type[Any]] = SHPDHConfig
    wants_outputs: ClassVar[bool] = True

    def __init__(self, setting: Setting, config: SHPDHConfig) -> None:
        super().__init__(setting, config)
        taxonomy = setting.taxonomy
        self.depth = taxonomy.depth
        self.inverse_variances = config.inverse_variances or default_inverse_variances(
            self.depth, setting.bits
        )
        self.level_weights = config.level_weights or default_level_weights(self.depth)
        for field, values in (
            ("inverse_variances", self.inverse_variances),
            ("level_weights", self.level_weights),
        ):
            if len(values) != self.depth:
                raise TaxohashError(
                    f"{self.name}: {field} has {len(values)} values but the taxonomy {taxonomy.name!r} "
                    f"has {self.depth} levels: give one for each, fine to coarse"
                )
        self.register_buffer("ancestors", setting.ancestors, persistent=False)
        for level in range(self.depth):
            start = torch.randn(taxonomy.class_count(level), setting.bits)
            self.register_buffer(f"centres_{level}", start)

    def centres(self, level: int) -> Tensor:
        """float[C, bits] of a level, 0 = coarsest."""
        return self.get_buffer(f"centres_{level}")

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        classes = self.get_buffer("ancestors")[labels]
        terms = {}
        for k, (s, weight) in enumerate(zip(self.inverse_variances, self.level_weights, strict=True)):
            level = self.depth - 1 - k
            logits = gaussian_logits(outputs, self.centres(level), s)
            terms[f"class_{self.setting.taxonomy.levels[level]}"] = weight * cross_entropy(
                logits, classes[:, level]
            )
        bits = self.setting.bits
        terms["cubic"] = self.config.cubic * cubic_constraint(outputs, self.config.margin) / bits
        terms["vertex"] = self.config.vertex * vertex_constraint(outputs) / bits
        return terms

    def end_epoch(self, outputs: Tensor, supervision: Labels) -> None:
        labels = supervision.labels
        fine = self.depth - 1
        classes = self.get_buffer("ancestors")[labels][:, fine]
        centres = class_means(outputs, classes, len(self.centres(fine)), self.centres(fine))
        self.centres(fine).copy_(centres)
        for level in range(fine, 0, -1):
            parents = torch.from_numpy(self.setting.taxonomy.parents(level)).long().to(outputs.device)
            above = self.centres(level - 1)
            above.copy_(class_means(self.centres(level), parents, len(above), above))

    def class_codes(self) -> Tensor:
        return self.centres(self.depth - 1)
