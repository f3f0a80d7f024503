"""Trials: which values are tried next, by what those before came to. Optuna's TPE suggests them.

Each trial is suggested by a sampler of its own seed from the finished trials alone, which lie in files of ours: so a sweep that
was interrupted tries what it would have tried, and no database is kept.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from taxohash.runtime.configuration import NonNegative, configuration
from taxohash.sweep.space import Interval, Space

RANDOM = 5  # trials before anything is made of them
_FAR = 1_000_003  # between the seeds of two sweeps


@configuration
class Trial:
    """One that is over.

    Attributes:
        number: from 0.
        values: of the searched fields.
        score: that it reached; None where it was refused.
        headline: metrics on the held-out pictures.
        reason: why it was refused, or empty.
        seconds: that it took.
    """

    number: int
    values: dict[str, Any]
    score: float | None = None
    headline: dict[str, float] | None = None
    reason: str = ""
    seconds: NonNegative = 0.0


def suggested(space: Space, before: Sequence[Trial], number: int, seed: int) -> dict[str, Any]:
    """The values of the trial of this number; the same for the same trials before it."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def distribution(tried: Any) -> Any:
        if not isinstance(tried, Interval):
            return CategoricalDistribution(range(len(tried.values)))
        whole = isinstance(tried.low, int) and isinstance(tried.high, int)
        kind: Any = IntDistribution if whole else FloatDistribution
        return kind(tried.low, tried.high, log=tried.log)

    def told(trial: Trial) -> dict[str, Any]:
        return {
            path: trial.values[path]
            if isinstance(tried, Interval)
            else tried.values.index(trial.values[path])
            for path, tried in space.items()
        }

    distributions = {path: distribution(tried) for path, tried in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed * _FAR + number, n_startup_trials=RANDOM)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in before:
        done = trial.score is not None
        study.add_trial(
            create_trial(
                params=told(trial),
                distributions=distributions,
                value=trial.score,
                state=TrialState.COMPLETE if done else TrialState.FAIL,
            )
        )
    found = study.ask(distributions).params
    return {
        path: found[path] if isinstance(tried, Interval) else tried.values[found[path]]
        for path, tried in space.items()
    }


def rounds(trials: int, count: int) -> list[range]:
    """Numbers of trials in so many rounds, evenly: those of one are suggested by the rounds before it, and tried side by side."""
    ends = [trials * number // count for number in range(count + 1)]
    return [range(first, last) for first, last in pairwise(ends)]


def best(trials: Sequence[Trial]) -> Trial | None:
    """The one of the highest score, the first of several; None where none has one."""
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: (trial.score, -trial.number), default=None)


def score_of(headline: Mapping[str, float], metric: str) -> float:
    """What a trial is measured by: one of the headline metrics, or with `headline` the mean of all."""
    return headline[metric] if metric in headline else math.fsum(headline.values()) / len(headline)
