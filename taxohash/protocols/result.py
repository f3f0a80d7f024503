"""What an evaluation found."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Scores = Mapping[str, npt.NDArray[np.float32]]
HEADLINE = ("mAP", "mAHP", "nDCG")


@dataclass(frozen=True)
class Report:
    """Result of one evaluation under one named protocol.

    Attributes:
        protocol: its name, without which the numbers mean nothing.
        metrics: values by name: `metric@cutoff`, then `/level` for a level other than the finest, or
            `/variant`. All lie in [0, 1] but ACG, which is in units of the gain.
        counts: queries, database items and bits (or dimensions).
        ranking: what the database was ordered by: `hamming`, `weighted` (by a query's real outputs), or of real vectors
            `cosine` or `l2`.
        ties: how tied items were ordered: `expected`, `stable`, or `random (seed n)`.
        weighted: the same metrics of the same codes by weights, where both rankings were measured: without those that count
            Hamming distances.
        notes: where the data differ from what the protocol names, and queries that nothing answers.
        curves: by level, `recall` and `precision` (means over queries) of the precision-recall curve.
        classes: mean fine average precision by the path of the query's class.
        calibration: what the answers' distances are worth, see `generation.calibration`; empty where that was not measured.
        projection: a map of the database's codes, see `generation.projection`; empty where none was made.
        reliability: by database, order of the answers and level, `predicted` and `observed` shares of answers that have the query's node.
        bit_health: how the database's codes use their bits, see `codes.bit_health`; empty where that was not looked at.
        scores: float32[Q] of each headline metric, and of mAP on each coarser level as `mAP/level`: a value a query in the order
            given, of which the metric is the mean.
    """

    protocol: str
    metrics: dict[str, float]
    counts: dict[str, int]
    ranking: str
    ties: str
    weighted: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    classes: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    reliability: dict[str, Any] = field(default_factory=dict)
    projection: dict[str, Any] = field(default_factory=dict)
    bit_health: dict[str, Any] = field(default_factory=dict)
    scores: Scores = field(default_factory=dict, repr=False, compare=False)

    def value(self, metric: str) -> float | None:
        """The value of a metric at whatever cut-off the protocol sets, such as `mAP`, `mAHP` or `nDCG`."""
        return next((value for name, value in self.metrics.items() if name.split("@")[0] == metric), None)

    @property
    def headline(self) -> dict[str, float]:
        """Fine mAP, mAHP and nDCG as the protocol defines them: what gates and tables compare."""
        return {name: self.metrics[full] for name, full in headline_names(self.metrics).items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; the scores of each query, which are an array, are left out."""
        data = asdict(replace(self, scores={}))
        del data["scores"]
        return {"headline": self.headline, **data, "notes": list(self.notes)}


def headline_names(metrics: Iterable[str]) -> dict[str, str]:
    """Which of a protocol's metrics each headline metric is: the first of that name, at whatever cut-off."""
    names = list(metrics)
    found = {short: [name for name in names if name.split("@")[0] == short] for short in HEADLINE}
    return {short: matching[0] for short, matching in found.items() if matching}


def scored_names(metrics: Iterable[str]) -> dict[str, str]:
    """Which of a protocol's metrics are kept of each query: the headline, and mAP on each coarser level."""
    names = list(metrics)
    return headline_names(names) | {name: name for name in names if name.startswith("mAP/")}
