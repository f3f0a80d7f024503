"""The rule of trust: whether the probabilities that answers are told with mean what they say."""

import math
from typing import Any

from taxohash.evaluation.reliability import BINS
from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Finding


def calibration(evidence: Evidence, policy: Policy) -> Finding:
    """On no level off by more than the policy allows; and measured, where the champion's were."""
    found = errors(evidence.challenger.calibration)
    if not found:
        if evidence.champion and errors(evidence.champion.calibration):
            told = "challenger's answers have no probabilities, and the champion's have: evaluate it with queries of one label each"
            return Finding.refuses("calibration", told)
        return Finding.passes("calibration", "answers are told without probabilities")
    worst = max(found, key=lambda where: found[where])
    if not found[worst]:
        return Finding.passes("calibration", "probabilities of answers are off by no more than chance shows")
    told = f"probabilities of answers are off by {found[worst]:.3f} more than by chance at most, {worst}"
    if not found[worst] <= policy.calibration_most:
        return Finding.refuses("calibration", f"{told}: {policy.calibration_most:g} may be")
    return Finding.passes("calibration", told)


def errors(measured: Any) -> dict[str, float]:
    """The calibration error of each database, order and level where it was measured, by these in words, beyond `chance`."""
    return {
        f"of {database} items on level {level} ({order})": max(
            float(told["ece"]) - chance(float(told["base_rate"]), int(measured["queries"])), 0.0
        )
        for database in ("seen", "new")
        for order, one in measured.get(database, {}).items()
        for level, told in one["shared"].items()
        if told
    }


def chance(base_rate: float, queries: int) -> float:
    """The calibration error that perfect probabilities are expected to show: the mean of |observed - predicted| in a bin of queries / BINS
    outcomes. The answers to one query are much alike, so queries are counted, not answers."""
    return math.sqrt(2 / math.pi * base_rate * (1 - base_rate) * BINS / queries)
