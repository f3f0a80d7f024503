"""What an evaluation found."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """Result of one evaluation under one named protocol.

    Attributes:
        protocol: its name, without which the numbers mean nothing.
        metrics: values by name: `metric@cutoff`, then `/level` for a level other than the finest, or
            `/variant`. All lie in [0, 1] but ACG, which is in units of the gain.
        counts: queries, database items and bits (or dimensions).
        ties: how tied items were ordered: `expected`, `stable`, or `random (seed n)`.
        notes: where the data differ from what the protocol names, and queries that nothing answers.
        curves: by level, `recall` and `precision` (means over queries) of the precision-recall curve.
        classes: mean fine average precision by the path of the query's class.
    """

    protocol: str
    metrics: dict[str, float]
    counts: dict[str, int]
    ties: str
    notes: tuple[str, ...] = ()
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    classes: dict[str, float] = field(default_factory=dict)

    def value(self, metric: str) -> float | None:
        """The value of a metric at whatever cut-off the protocol sets, such as `mAP`, `mAHP` or `nDCG`."""
        return next((value for name, value in self.metrics.items() if name.split("@")[0] == metric), None)

    @property
    def headline(self) -> dict[str, float]:
        """Fine mAP, mAHP and nDCG as the protocol defines them: what gates and tables compare."""
        values = {name: self.value(name) for name in ("mAP", "mAHP", "nDCG")}
        return {name: value for name, value in values.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"headline": self.headline, **asdict(self), "notes": list(self.notes)}
