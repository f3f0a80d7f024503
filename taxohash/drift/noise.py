"""What the statistics come to where nothing has changed: checks are simulated, and bounds are set that few of them pass.

Queries and items: reference and sample are both drawn anew, picture by picture with replacement, from the queries of the generation, so
that the reference is known no better than it is, and what depends on each other in a picture goes on doing so.

Canaries: the same are asked again, so that only the items have changed; where that helps as often as it hurts, the change of a canary's
recall is as likely to have the other sign. Signs are drawn.

All statistics have a share in one rate of alarms. Their bounds are drawn at the same rank of each, the highest at which no more of the
simulated checks pass any of them than may: what is wanted is a quantile of the checks, however the statistics depend on each other,
and no tail is extrapolated.

What no picture of the reference shows, none that is drawn from them does either, though it may well be there: of such a thing `unseen_most`
says how often it may be seen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taxohash.drift.sample import Sample
from taxohash.drift.statistics import Floats, effective, shares, statistics

_BLOCK = 500  # simulated checks at once


@dataclass(frozen=True, eq=False)
class Bounds:
    """Of S statistics.

    Attributes:
        simulated: float64[B, S], their values in the simulated checks, in rising order each.
        values: float64[S]: a statistic raises an alarm beyond it.
        extremes: int[B], of each simulated check how many have a statistic as extreme as its most extreme one; rising.
        rate: share of the simulated checks that raise an alarm.
    """

    simulated: Floats
    values: Floats
    extremes: npt.NDArray[np.int64]
    rate: float

    def chance(self, statistic: int, value: float) -> float:
        """The share of checks without any change in which some statistic is as extreme as this one; at least one of B + 1."""
        column = self.simulated[:, statistic]
        beyond = len(column) - int(np.searchsorted(column, value, side="left"))
        passed = int(np.searchsorted(self.extremes, beyond, side="right"))
        return (passed + 1) / (len(column) + 1)


def bounds(simulated: Floats, rate: float) -> Bounds:
    """Those that no more than a share `rate` of the simulated checks float64[B, S] pass in any statistic."""
    count = len(simulated)
    rising = np.sort(simulated, axis=0)
    ranks = np.stack(
        [count - np.searchsorted(rising[:, s], simulated[:, s], side="left") for s in range(rising.shape[1])],
        axis=1,
    )
    extremes = np.sort(ranks.min(axis=1))
    allowed = int(rate * count)
    # A check passes a bound of rank j where as few as j have a value as great: all of them that have a rank of j or less.
    rank = int(extremes[allowed]) - 1 if allowed < count else count - 1
    rank = min(max(rank, 0), count - 1)
    passed = int(np.searchsorted(extremes, rank, side="right"))
    return Bounds(rising, rising[count - 1 - rank], extremes, passed / count)


def simulated_samples(
    columns: Mapping[str, npt.NDArray[np.float32]], sample: Sample, checks: int, random: np.random.Generator
) -> dict[str, Floats]:
    """float64[checks] of each statistic of a sample, were it of the reference's pictures.

    Args:
        columns: of the reference, see `Sample.columns`.
    """
    table = np.concatenate([*columns.values()], axis=1)
    ends = np.cumsum([part.shape[1] for part in columns.values()])[:-1]
    size, groups = len(table), _groups(sample)
    total, now_count = float(sample.weights.sum()), effective(sample.weights)
    found: dict[str, list[Floats]] = {}

    def drawn(members: int, block: int) -> dict[str, Floats]:
        sums = (_drawn(size, members, block, random) @ table).astype(np.float64)
        return dict(zip(columns, np.split(sums, ends, axis=1), strict=True))

    for first in range(0, checks, _BLOCK):
        block = min(_BLOCK, checks - first)
        before = drawn(size, block)
        now = {name: np.zeros_like(part) for name, part in before.items()}
        for (weight, labelled), members in groups.items():
            for name, part in drawn(members, block).items():
                if labelled or name != "classes":
                    now[name] += weight * part
        told = statistics(shares(before, size), shares(now, total), size, now_count)
        for name, values in told.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def simulated_recalls(falls: Floats, checks: int, random: np.random.Generator) -> Floats:
    """float64[checks, L]: the mean fall of each level's recall, of the falls float64[Q, L] of canaries with signs drawn for each canary."""
    parts = []
    for first in range(0, checks, _BLOCK):
        signs = random.integers(0, 2, (min(_BLOCK, checks - first), len(falls)), np.int8)
        parts.append((2.0 * signs - 1.0) @ falls / len(falls))
    return np.concatenate(parts)


def unseen_most(count: float, now_count: float, rate: float) -> float:
    """The largest share of `now_count` pictures that chance lets show what none of `count` earlier ones did, but in a share `rate` of checks.

    Were it as frequent as before, all k that show it would be among the later ones with a probability of no more than
    (now_count / (count + now_count)) ** k: Fisher's exact test.
    """
    return math.floor(math.log(rate) / math.log(now_count / (count + now_count))) / now_count


def unseen_chance(count: float, now_count: float, share: float) -> float:
    """That probability, of a share of `now_count` pictures that is at least 0."""
    return float((now_count / (count + now_count)) ** (share * now_count))


def _groups(sample: Sample) -> Mapping[tuple[float, bool], int]:
    """How many pictures have a weight, and have a label or not."""
    labelled = np.ones(len(sample), np.bool_)
    if sample.source == "items" and sample.top is not None:
        labelled = sample.top >= 0
    pairs, counts = np.unique(np.stack([sample.weights, labelled]), axis=1, return_counts=True)
    return {
        (float(weight), bool(has)): int(count) for (weight, has), count in zip(pairs.T, counts, strict=True)
    }


def _drawn(size: int, members: int, checks: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """float32[checks, size]: how often each of `size` pictures is drawn where `members` are, with replacement."""
    if members > 8 * size:
        return random.multinomial(members, np.full(size, 1 / size), checks).astype(np.float32)
    places = random.integers(0, size, (checks, members)) + size * np.arange(checks)[:, None]
    return np.bincount(places.ravel(), minlength=checks * size).reshape(checks, size).astype(np.float32)
