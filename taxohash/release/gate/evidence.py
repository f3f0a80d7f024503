"""What the gate judges by: both hashers, measured alike on one data version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

if TYPE_CHECKING:
    from taxohash.protocols import Scores  # slow to import: pipelines read the policy alone

Values = npt.NDArray[np.floating]
Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one hasher.

    Attributes:
        scores: float[Q] of each metric, as `Report.scores`.
        dataset_md5: the data version that this is of.
        classes: paths of its taxonomy.
        weights: sha256 of its weights, by which it is known again.
        bit_health: of the database's codes, see `codes.BitHealth`; empty where it is not known, as what follows.
        collisions: share of the pairs of a query and an item of another class that have one code.
        calibration: what was measured of the probabilities of its answers, see `Calibration.measured`; empty where nothing was.
        seconds: to encode a picture, on one thread.
        size: bytes of its network.
    """

    scores: "Scores"
    dataset_md5: str
    classes: frozenset[Path]
    weights: str
    bit_health: Mapping[str, Any] = field(default_factory=dict)
    collisions: float | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    size: int | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Challenger and champion, and what both are held against.

    Attributes:
        champion: None where nothing is published yet.
        chance, baseline: float[Q] of each metric, of a random ranking and of codes that nothing was trained for, see
            `evaluation.baseline`.
        dataset_md5: the data version of the run.
        classes: paths of the taxonomy of these data.
        label_entropy: of the labels of what is ranked, in bits; 0 where items have sets of them.
        leaked: bool[Q], the queries whose picture is in the split that the challenger was trained on.

    Raises:
        TaxohashError: other metrics or another number of queries than the challenger's, no query at all, or a yardstick that
            is not a number.
    """

    challenger: Measured
    champion: Measured | None
    chance: "Scores"
    baseline: "Scores"
    dataset_md5: str
    classes: frozenset[Path]
    label_entropy: float
    leaked: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        counts = {name: len(scores) for name, scores in self.challenger.scores.items()}
        if not counts or len(set(counts.values())) > 1 or 0 in counts.values():
            raise TaxohashError(f"challenger's scores are of {counts or 'no metric'}: evaluate it again")
        others = {"chance": self.chance, "baseline": self.baseline}
        if self.champion is not None:
            others["champion"] = self.champion.scores
        for who, scores in others.items():
            found = {name: len(values) for name, values in scores.items()}
            if found != counts:
                raise TaxohashError(
                    f"{who} was asked {found} queries, the challenger {counts}: evaluate both on the same queries"
                )
            if bad := [name for name, values in scores.items() if not np.isfinite(values).all()]:
                raise TaxohashError(f"{who}'s {', '.join(bad)} is not a number: evaluate it again")
        if self.leaked.shape != (next(iter(counts.values())),):
            raise TaxohashError(
                f"{len(self.leaked)} queries were looked for in the training split, the challenger was asked {counts}: "
                "evaluate it again"
            )

    def clean(self, scores: "Scores") -> dict[str, npt.NDArray[np.float64]]:
        """The scores float64[q] of the queries that the challenger was not trained on."""
        return {name: values[~self.leaked].astype(np.float64) for name, values in scores.items()}
