"""DTSH: triplet likelihood on real outputs, pulled to their signs.

Wang, Shi and Kitani, "Deep Supervised Hashing with Triplet Labels", ACCV 2016.
"""

from typing import Any, ClassVar

from torch import Tensor, bincount
from torch.nn.functional import softplus

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.pairs import distinct, same_label
from taxohash.objectives.parts.quantisation import vertex_constraint
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, Positive, configuration


@configuration
class DTSHConfig:
    """Hyper-parameters of DTSH.

    Attributes:
        margin: alpha; None for half the number of bits, as in the paper (a re-implementation has 5).
        scale: of the inner product: 1/2 in the paper (1 in the re-implementation).
        quantisation: lambda, weight of ||u - sign(u)||^2 per bit.
    """

    margin: NonNegative | None = None
    scale: Positive = 0.5
    quantisation: NonNegative = 1.0


class DTSH(Objective[DTSHConfig, Labels]):
    """L = mean over triplets of -log sigmoid(t_qp - t_qn - alpha), t = scale u.u', + lambda ||u - sign(u)||^2 / q.

    Every triplet of the batch counts.
    """

    name: ClassVar[str] = "dtsh"
    title: ClassVar[str] = "Deep Supervised Hashing with Triplet Labels"
    year: ClassVar[int] = 2016
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "the same class nearer than another"
    config_type: ClassVar[type[Any]] = DTSHConfig
    smallest_batch: ClassVar[int] = 3

    def __init__(self, setting: Setting, config: DTSHConfig) -> None:
        super().__init__(setting, config)
        known: Any = setting.supervision
        sizes = bincount(known.labels, minlength=1)
        if sizes.max() < 2 or sizes.count_nonzero() < 2:
            raise TaxohashError(
                f"dtsh: the labels of {int(sizes.sum())} images make no triplet: give two images of one class and one of another"
            )

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        margin = self.setting.bits / 2 if self.config.margin is None else self.config.margin
        similarity = self.config.scale * outputs @ outputs.T
        same = same_label(labels)
        anchor, positive = (same & distinct(labels)).nonzero(as_tuple=True)
        # One row for every (anchor, positive), one column for every image of the batch.
        gaps = similarity[anchor, positive].unsqueeze(1) - similarity[anchor] - margin
        negative = ~same[anchor]
        triplets = (softplus(-gaps) * negative).sum() / negative.sum().clamp_min(1)
        quantisation = self.config.quantisation * vertex_constraint(outputs) / self.setting.bits
        return {"triplets": triplets, "quantisation": quantisation}
