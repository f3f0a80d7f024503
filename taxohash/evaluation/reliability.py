"""Are probabilities right? Calibration error over bins of equal mass, and Brier skill, tied predictions counted alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Predictions against what happened.

    Attributes:
        predicted, observed: float64[B], means of each bin, from the least predictions to the greatest.
        error: expected calibration error, the mean of |predicted - observed| over the bins.
        skill: Brier skill, 1 - sum (p - y)^2 / sum (b - y)^2 with b the base rate, of these very outcomes; None where all
            outcomes are the same, so that nothing can be told apart.
        base_rate: share of the outcomes that are true.
        count: of the predictions.
    """

    predicted: Floats
    observed: Floats
    error: float
    skill: float | None
    base_rate: float
    count: int

    def told(self) -> dict[str, Any]:
        """Error, skill and base rate as plain data, to six places."""
        skill = None if self.skill is None else round(self.skill, 6)
        return {"ece": round(self.error, 6), "brier_skill": skill, "base_rate": round(self.base_rate, 6)}


def reliability(predicted: Floats, outcomes: npt.NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Measure predictions float64[N], N >= 1, against outcomes bool[N].

    Each bin has N / bins of the mass in the order of the predictions. Predictions that are equal are shared out between bins with
    the mean of their outcomes, so that nothing depends on the order in which they were given.
    """
    values, which, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    true = np.bincount(which, outcomes, minlength=len(values))
    ends = np.concatenate([[0.0], np.cumsum(counts)])
    edges = np.linspace(0.0, len(predicted), bins + 1)

    def means(totals: Floats) -> Floats:
        """Of each bin, from the totals of the distinct predictions."""
        sums = np.interp(edges, ends, np.concatenate([[0.0], np.cumsum(totals)]))
        found: Floats = np.diff(sums) * bins / len(predicted)
        return found

    expected, observed = means(values * counts), means(true.astype(np.float64))
    base = float(outcomes.mean())
    chance = base * (1 - base)
    brier = float(np.mean((predicted - outcomes) ** 2))
    return Reliability(
        predicted=expected,
        observed=observed,
        error=float(np.abs(expected - observed).mean()),
        skill=1 - brier / chance if chance else None,
        base_rate=base,
        count=len(predicted),
    )
