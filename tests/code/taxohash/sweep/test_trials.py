"""What is suggested, and which trial is best."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.sweep.space import Choice, Interval, Space
from taxohash.sweep.trials import Trial, best, rounds, score_of, suggested

SPACE: Space = {
    "rate": Interval(low=0.001, high=1.0, log=True),
    "count": Interval(low=1, high=9),
    "kind": Choice(values=("one", None, 3)),
}


def quality(values: dict[str, Any]) -> float:
    """Best at 0.03, 5 and 3."""
    return float(-abs(values["rate"] - 0.03) - abs(values["count"] - 5) - (values["kind"] != 3))


def trials(count: int, seed: int = 0, refused: int = -1) -> list[Trial]:
    done: list[Trial] = []
    for number in range(count):
        values = suggested(SPACE, done, number, seed)
        score = None if number == refused else quality(values)
        done.append(Trial(number=number, values=values, score=score, reason="bad" if score is None else ""))
    return done


def test_values_are_of_the_space_and_get_better() -> None:
    done = trials(40)
    for trial in done:
        assert 0.001 <= trial.values["rate"] <= 1
        assert trial.values["count"] in range(1, 10)
        assert trial.values["kind"] in ("one", None, 3)
    found = best(done)
    assert found is not None
    assert found.values["kind"] == 3
    early, late = (sum(quality(one.values) for one in part) for part in (done[:10], done[-10:]))
    assert late > early


def test_the_same_trials_before_suggest_the_same() -> None:
    """So a sweep that was interrupted goes on as it would have."""
    done = trials(12, refused=3)
    for number in (0, 4, 11):
        assert suggested(SPACE, done[:number], number, 0) == done[number].values
    assert [one.values for one in trials(3, seed=1)] != [one.values for one in done[:3]]


@given(st.integers(1, 500), st.integers(1, 9))
def test_rounds_have_every_trial_once_and_are_even(trials: int, count: int) -> None:
    found = rounds(trials, count)
    assert [number for one in found for number in one] == list(range(trials))
    assert len(found) == count
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_the_best_is_the_first_of_the_highest() -> None:
    done = [Trial(number=n, values={}, score=score) for n, score in enumerate([None, 0.2, 0.4, 0.4])]
    assert best(done) is done[2]
    assert best(done[:1]) is None


def test_the_score_is_one_metric_or_the_mean_of_all() -> None:
    assert score_of({"mAP": 0.5, "mAHP": 0.7}, "mAHP") == 0.7
    assert score_of({"mAP": 0.5, "mAHP": 0.7}, "headline") == pytest.approx(0.6)
