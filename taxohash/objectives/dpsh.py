"""DPSH: pair likelihood on real outputs, pulled to their signs.

Li, Wang and Kang, "Feature Learning based Deep Supervised Hashing with Pairwise Labels", IJCAI 2016.
"""

from typing import Any, ClassVar

from torch import Tensor

from taxohash.objectives.base import Batch, Objective
from taxohash.objectives.parts.pairs import distinct, mean_over_pairs, negative_log_likelihood, same_label
from taxohash.objectives.parts.quantisation import vertex_constraint
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, configuration


@configuration
class DPSHConfig:
    """Hyper-parameters of DPSH.

    Attributes:
        quantisation: eta, weight of ||u - sign(u)||^2 per bit.
    """

    quantisation: NonNegative = 0.1


class DPSH(Objective[DPSHConfig, Labels]):
    """L = mean over pairs of log(1 + e^t) - s t, t = u_i.u_j / 2, + eta ||u - sign(u)||^2 / q.

    Pairs are those of a batch, and both terms are means, so that eta means the same at any batch size.
    """

    name: ClassVar[str] = "dpsh"
    title: ClassVar[str] = "Feature Learning based Deep Supervised Hashing with Pairwise Labels"
    year: ClassVar[int] = 2016
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "same or different finest class"
    config_type: ClassVar[type[Any]] = DPSHConfig
    smallest_batch: ClassVar[int] = 2

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        pairs = distinct(labels)
        similar = same_label(labels)[pairs].to(outputs)
        likelihood = negative_log_likelihood(0.5 * (outputs @ outputs.T)[pairs], similar)
        quantisation = self.config.quantisation * vertex_constraint(outputs) / self.setting.bits
        return {"pairs": mean_over_pairs(likelihood), "quantisation": quantisation}
