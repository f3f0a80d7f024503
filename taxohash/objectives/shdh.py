"""SHDH: one segment of the code for each level, compared with weights that fall towards the fine levels.

Wang et al., "Supervised Deep Hashing for Hierarchical Labeled Data", AAAI 2018.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.pairs import distinct, mean_over_pairs
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, configuration


@configuration
class SHDHConfig:
    """Hyper-parameters of SHDH.

    Attributes:
        balance: alpha, weight of the squared mean code, which keeps each bit's entropy high.
        quantisation: weight of ||u - sign(u)||^2 per bit; 0 leaves it to tanh.
    """

    balance: NonNegative = 0.1
    quantisation: NonNegative = 0.0


class SHDH(Objective[SHDHConfig, Labels]):
    """L = mean_ij (sum_k u_k <h_i^k, h_j^k> / q_k - s_ij)^2 + alpha |mean h|^2 / q, h = tanh(f).

    s_ij = sum_k u_k s^k_ij with s^k = +-1 for the same class at level k or not, u_k = 2 (K + 1 - k) / (K (K + 1)),
    k = 1 the coarsest. Segments lie coarse to fine and share the bits evenly.
    """

    name: ClassVar[str] = "shdh"
    title: ClassVar[str] = "Supervised Deep Hashing for Hierarchical Labeled Data"
    year: ClassVar[int] = 2018
    supervision: ClassVar[Kinds] = (Labels,)
    hierarchical: ClassVar[bool] = True
    keeps: ClassVar[str] = "every level, each in a segment of the code"
    config_type: ClassVar[type[Any]] = SHDHConfig
    smallest_batch: ClassVar[int] = 2

    def __init__(self, setting: Setting, config: SHDHConfig) -> None:
        super().__init__(setting, config)
        depth = setting.taxonomy.depth
        if setting.bits < depth:
            raise TaxohashError(
                f"shdh: {setting.bits} bits cannot give each of {depth} levels a segment: use more bits"
            )
        self.segments = [len(part) for part in torch.arange(setting.bits).tensor_split(depth)]
        # Weights as whole numbers, K for the coarsest to 1 for the finest; u_k is their share.
        self.weights = list(range(depth, 0, -1))
        self.register_buffer("ancestors", setting.ancestors, persistent=False)

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        codes = torch.tanh(outputs)
        classes = self.get_buffer("ancestors")[labels]
        product = wanted = torch.zeros(len(labels), len(labels), device=outputs.device)
        for level, (segment, weight) in enumerate(
            zip(codes.split(self.segments, dim=1), self.weights, strict=True)
        ):
            share = weight / sum(self.weights)
            same = classes[:, None, level] == classes[None, :, level]
            product = product + share * segment @ segment.T / segment.shape[1]
            wanted = wanted + share * torch.where(same, 1.0, -1.0)
        pairs = distinct(labels)
        return {
            "pairs": mean_over_pairs((product - wanted)[pairs].square()),
            "balance": self.config.balance * codes.mean(dim=0).square().mean(),
            "quantisation": self.config.quantisation * (codes.abs() - 1).square().mean(),
        }

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        """Each segment as often as its weight: the Hamming distance is then sum_k weight_k d_k (section 3)."""
        parts = outputs.split(self.segments, dim=1)
        return torch.cat(
            [part.repeat(1, weight) for part, weight in zip(parts, self.weights, strict=True)], dim=1
        )
