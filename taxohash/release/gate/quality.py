"""Rules of quality: how the queries' scores compare with the champion's, with the floor and with chance.

All were asked the same queries, so they are compared query by query. How far a difference of their means can be trusted, the
queries say themselves (paired bootstrap, `release.bootstrap`); what an untrained hasher reaches, chance and a cheap baseline say
(`evaluation.baseline`). On every level by itself: a hasher may not pay for fine classes with coarse ones. No number of any one data
set stands here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from taxohash.release.bootstrap import interval
from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Compared, Finding

Floats = npt.NDArray[np.float64]
Values = Mapping[str, Floats]
ROUNDING = 1e-9  # of a mean of scores
PERFECT = 1 - 1e-6  # where chance already scores this, nothing better can be shown


def not_worse(evidence: Evidence, policy: Policy) -> Finding:
    """In no metric lower than the champion by more than the tolerance: what the queries leave open (the upper half of the interval),
    but at least and at most what the policy says."""
    if evidence.champion is None:
        return Finding.passes("champion", "nothing is published yet")
    found = compare(
        evidence.clean(evidence.challenger.scores), evidence.clean(evidence.champion.scores), policy
    )
    if worse := [part for part in found if not policy.tolerated(part.difference, part.high)]:
        told = _sentence("is worse than the champion", worse, policy)
        return Finding.refuses("champion", told, found)
    how = f"is {'better' if all(part.low > 0 for part in found) else 'not worse'} than the champion"
    if evidence.champion.weights == evidence.challenger.weights:
        how = "is the champion itself"
    return Finding.passes("champion", _sentence(how, found, policy), found)


def above_floor(evidence: Evidence, policy: Policy) -> Finding:
    """Part of the way from chance to the baseline; asked where there is no champion, or one that is itself below it."""
    challenger, floor = evidence.clean(evidence.challenger.scores), _floor(evidence, policy.floor_share)
    champion = evidence.clean(evidence.champion.scores) if evidence.champion else None
    found = compare(challenger, floor, policy)
    if below := [part for part in found if part.difference < -ROUNDING]:
        if champion is not None and all(champion[name].mean() >= floor[name].mean() for name in floor):
            told = "the champion is above the floor, and is what counts"
            return Finding.passes("floor", told, found)
        return Finding.refuses("floor", _sentence("is below the floor", below, policy), found)
    return Finding.passes("floor", _sentence("is not below the floor", found, policy), found)


def above_chance(evidence: Evidence, policy: Policy) -> Finding:
    """In every metric the whole interval lies above what a random ranking scores."""
    found = compare(evidence.clean(evidence.challenger.scores), evidence.clean(evidence.chance), policy)
    if alike := [part for part in found if part.low <= 0 and part.bound < PERFECT]:
        return Finding.refuses("chance", _sentence("cannot be told from chance", alike, policy), found)
    return Finding.passes("chance", _sentence("is above chance", found, policy), found)


def compare(challenger: Values, other: Values, policy: Policy) -> tuple[Compared, ...]:
    """Every metric of the challenger, float64[Q] each, against another's; the same queries are drawn for all."""
    names = list(challenger)
    pairs = np.stack([challenger[name] - other[name] for name in names], axis=1)
    low, high = interval(pairs, policy.confidence, policy.resamples, policy.seed)
    return tuple(
        Compared(
            metric=name,
            value=float(challenger[name].mean()),
            bound=float(other[name].mean()),
            difference=float(pairs[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
        )
        for column, name in enumerate(names)
    )


def _floor(evidence: Evidence, share: float) -> dict[str, Floats]:
    """The floor of each query; a baseline that is itself below chance does not lower it."""
    chance, baseline = evidence.clean(evidence.chance), evidence.clean(evidence.baseline)
    gains = {name: baseline[name] - chance[name] for name in chance}
    return {
        name: chance[name] + share * gain if gain.mean() > 0 else chance[name] for name, gain in gains.items()
    }


def _sentence(what: str, compared: Sequence[Compared], policy: Policy) -> str:
    numbers = "; ".join(
        f"{part.metric} {part.value:.4f} against {part.bound:.4f} "
        f"({part.difference:+.4f}, {part.low:+.4f} to {part.high:+.4f} at {100 * policy.confidence:g} %)"
        for part in compared
    )
    return f"challenger {what}: {numbers}"
