"""The gate: may a challenger take the champion's place?

Both were asked the same queries, so they are compared query by query. How far a difference of their means can be
trusted, the queries say themselves (`bootstrap.interval`); what an untrained hasher reaches, chance and a cheap
baseline say (`evaluation.baseline`). No number of any one data set stands here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.release.bootstrap import interval
from taxohash.release.judging import Against, Compared, Judgement, Judging, Verdict
from taxohash.runtime.configuration import NonNegative, Share, configuration

if TYPE_CHECKING:
    from taxohash.protocols import Scores  # slow to import: pipelines read the policy alone

Values = npt.NDArray[np.floating]
ROUNDING = 1e-9  # of a mean of scores
PERFECT = 1 - 1e-6  # where chance already scores this, nothing better can be shown


@configuration
class Policy(Judging):
    """What a challenger must be, to be published; see `Judging` for how it is compared.

    Attributes:
        floor_share: of the way from chance to the baseline that each metric must go where nothing better is
            published; 0 is chance, 1 the baseline.
    """

    tolerance_least: NonNegative = 0.002
    tolerance_most: NonNegative = 0.05
    floor_share: Share = 0.5


def judge(
    challenger: "Scores",
    champion: "Scores | None",
    chance: "Scores",
    baseline: "Scores",
    policy: Policy | None = None,
) -> Judgement:
    """Judge a challenger by what each query scored; all four are of the same queries in the same order.

    A champion counts: in no metric may the challenger be lower than it by more than the tolerance, which is what the
    queries leave open (the upper half of the interval), but at least and at most what the policy says. The floor
    counts where there is no champion, or one that is itself below it. Chance counts always: in every metric the
    whole interval must lie above it.

    Args:
        challenger, champion, chance, baseline: float[Q] of each headline metric, as `Report.scores`; no champion where
            nothing is published yet.

    Raises:
        TaxohashError: other metrics or another number of queries than the challenger's, no query at all, or a
            yardstick that is not a number.
    """
    policy = policy or Policy()
    _check(challenger, {"champion": champion, "chance": chance, "baseline": baseline})
    if absurd := [name for name, scores in challenger.items() if not np.isfinite(scores).all()]:
        return Judgement(
            verdict="refused", reason=f"challenger's {', '.join(absurd)} is not a number", against="floor"
        )
    floor = {name: _floor(chance[name], baseline[name], policy.floor_share) for name in challenger}
    to_chance, to_floor = _compare(challenger, chance, policy), _compare(challenger, floor, policy)

    trials: list[tuple[str, Against, list[Compared]]] = []
    against: Against = "floor"
    compared = to_floor
    if champion is not None:
        against, compared = "champion", _compare(challenger, champion, policy)
        worse = [part for part in compared if not policy.tolerated(part.difference, part.high)]
        trials.append(("is worse than the champion", "champion", worse))
    if champion is None or any(_mean(champion[name]) < _mean(floor[name]) for name in floor):
        trials.append(
            ("is below the floor", "floor", [part for part in to_floor if part.difference < -ROUNDING])
        )
    alike = [part for part in to_chance if part.low <= 0 and part.bound < PERFECT]
    trials.append(("cannot be told from chance", against, alike))

    for what, held_against, failing in trials:
        if failing:
            told = to_floor if held_against == "floor" else compared
            reason = _sentence(what, failing, policy)
            return Judgement(verdict="refused", reason=reason, against=held_against, compared=told)
    verdict: Verdict = "awaits" if policy.approve == "always" else "passes"
    reason = _sentence(_praise(against, compared), compared, policy)
    return Judgement(verdict=verdict, reason=reason, against=against, compared=compared)


def _praise(against: Against, compared: Sequence[Compared]) -> str:
    if against == "floor":
        return "is not below the floor"
    return f"is {'better' if all(part.low > 0 for part in compared) else 'not worse'} than the champion"


def _sentence(what: str, compared: Sequence[Compared], policy: Policy) -> str:
    numbers = "; ".join(
        f"{part.metric} {part.value:.4f} against {part.bound:.4f} "
        f"({part.difference:+.4f}, {part.low:+.4f} to {part.high:+.4f} at {100 * policy.confidence:g} %)"
        for part in compared
    )
    return f"challenger {what}: {numbers}"


def _floor(chance: Values, baseline: Values, share: float) -> Values:
    """The floor of each query; a baseline that is itself below chance does not lower it."""
    gain = baseline.astype(np.float64) - chance
    return chance + share * gain if gain.mean() > 0 else chance


def _compare(challenger: "Scores", other: Mapping[str, Values], policy: Policy) -> tuple[Compared, ...]:
    """Every metric of the challenger against another's; the same queries are drawn for all."""
    names = list(challenger)
    pairs = np.stack(
        [challenger[name].astype(np.float64) - other[name].astype(np.float64) for name in names], axis=1
    )
    low, high = interval(pairs, policy.confidence, policy.resamples, policy.seed)
    return tuple(
        Compared(
            metric=name,
            value=_mean(challenger[name]),
            bound=_mean(other[name]),
            difference=float(pairs[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
        )
        for column, name in enumerate(names)
    )


def _mean(scores: Values) -> float:
    return float(scores.mean(dtype=np.float64))


def _check(challenger: "Scores", others: "Mapping[str, Scores | None]") -> None:
    """Make sure that all are of the same queries."""
    counts = {name: len(scores) for name, scores in challenger.items()}
    if not counts or len(set(counts.values())) > 1 or 0 in counts.values():
        raise TaxohashError(f"challenger's scores are of {counts or 'no metric'}: evaluate it again")
    for who, scores in others.items():
        if scores is None:
            continue
        found = {name: len(values) for name, values in scores.items()}
        if found != counts:
            raise TaxohashError(
                f"{who} was asked {found} queries, the challenger {counts}: evaluate both on the same queries"
            )
        if bad := [name for name, values in scores.items() if not np.isfinite(values).all()]:
            raise TaxohashError(f"{who}'s {', '.join(bad)} is not a number: evaluate it again")
