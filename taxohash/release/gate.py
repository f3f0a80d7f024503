"""The gate: may a challenger take the champion's place?"""

from collections.abc import Mapping
from dataclasses import dataclass

# What a hasher must reach when nothing is published yet: far above chance, far below a good one.
FLOORS = {"mAP": 0.5, "mAHP": 0.6, "nDCG": 0.6}
# Of label sets, where what answers share knows no hierarchy and its nDCG no common scale.
SET_FLOORS = {"mAP": 0.5}
# Differences below this are noise of the query sample and of the seed.
TOLERANCE = 0.002


@dataclass(frozen=True)
class Verdict:
    """Outcome of the gate.

    Attributes:
        passed: whether the challenger may be published.
        reason: one sentence with the numbers that decided.
    """

    passed: bool
    reason: str


def judge(
    challenger: Mapping[str, float],
    champion: Mapping[str, float] | None,
    floors: Mapping[str, float] = FLOORS,
    tolerance: float = TOLERANCE,
) -> Verdict:
    """Compare headline metrics measured on the same queries and database.

    The challenger must not be worse than the champion in any of them by more than `tolerance`. Without
    a champion each must reach its floor.
    """
    against, name, slack = (
        (floors, "the floor", 0.0) if champion is None else (champion, "the champion", tolerance)
    )
    compared = [(metric, challenger.get(metric, 0.0), bound) for metric, bound in against.items()]
    worse = [part for part in compared if not part[1] >= part[2] - slack]  # NaN is worse
    told = ", ".join(
        f"{metric} {value:.4f} against {bound:.4f}" for metric, value, bound in worse or compared
    )
    if worse:
        return Verdict(False, f"challenger is below {name}: {told}")
    return Verdict(True, f"challenger is not below {name}: {told}")


from typing import Literal

from taxohash.runtime.configuration import configuration


@configuration
class Policy:
    """p"""

    confidence: float = 0.95
    approve: Literal["never", "always"] = "never"
