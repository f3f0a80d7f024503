"""Rules of quality: planted challengers, few queries, what is no measurement, and the policy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.protocols import Scores
from taxohash.release.gate import Policy
from taxohash.runtime.configuration import read
from tests.support.gate import METRICS, NOISE, flat, judged, scores


@pytest.mark.parametrize(
    ("mean", "passed"), [(0.05, False), (0.15, False), (0.17, True), (0.3, True), (0.9, True)]
)
def test_without_a_champion_the_floor_lies_between_chance_and_the_baseline(mean: float, passed: bool) -> None:
    found = judged(scores(mean))  # half-way is 0.16
    assert found.passed == passed
    assert found.against == "floor"
    assert [part.metric for part in found.compared] == list(METRICS)
    assert all(part.bound == pytest.approx(0.16) for part in found.compared)
    assert f"mAP {mean:.4f} against 0.1600" in found.reason
    assert "\n" not in found.reason


def test_how_far_the_floor_lies_is_the_policys() -> None:
    assert judged(scores(0.1), floor_share=0.2).passed
    assert not judged(scores(0.28), floor_share=1.0).passed
    assert judged(flat(0.3), floor_share=1.0).passed  # what equals the baseline is not below it
    below_chance = judged(scores(0.1), chance=0.05, baseline=0.01, floor_share=1.0)
    assert below_chance.compared[0].bound == pytest.approx(0.05), "a bad baseline does not lower it"


@pytest.mark.parametrize("difference", [-0.3, -0.06, -0.03])
def test_a_planted_worse_one_is_refused(difference: float) -> None:
    found = judged(scores(0.6 + difference, seed=1), scores(0.6))
    assert (found.verdict, found.against) == ("refused", "champion")
    assert judged(scores(0.6 + difference, seed=1), scores(0.6), approve="always").verdict == "refused"
    assert "challenger is worse than the champion: mAP " in found.reason
    assert f"({difference:+.4f}, -0." in found.reason
    assert " at 95 %)" in found.reason


@pytest.mark.parametrize("difference", [-0.005, -0.001, 0.0, 0.001])
def test_what_the_queries_cannot_tell_apart_passes(difference: float) -> None:
    found = judged(scores(0.6 + difference, seed=1), scores(0.6))
    assert found.passed
    assert "challenger is not worse than the champion" in found.reason
    for part in found.compared:
        assert part.low < difference < part.high
        assert part.difference == pytest.approx(difference, abs=1e-5)
        assert part.value - part.bound == pytest.approx(part.difference)


def test_a_planted_better_one_passes_and_is_said_to_be_better() -> None:
    found = judged(scores(0.65, seed=1), scores(0.6))
    assert found.verdict == "passes"
    assert judged(scores(0.65, seed=1), scores(0.6), approve="always").verdict == "awaits"
    assert "challenger is better than the champion" in found.reason
    assert all(part.low > 0 for part in found.compared)


@pytest.mark.parametrize("metric", METRICS)
def test_worse_in_one_metric_is_refused_and_only_that_is_told(metric: str) -> None:
    champion = scores(0.6)
    found = judged(champion | {metric: scores(0.5, seed=1)[metric]}, champion)
    assert not found.passed
    assert [part.split(" 0.")[0] for part in found.reason.split(": ", 1)[1].split("; ")] == [metric]
    assert len(found.compared) == len(METRICS)


def test_tolerance_comes_from_the_number_of_queries_within_the_policys_ends() -> None:
    def passes(difference: float, queries: int, **policy: Any) -> bool:
        challenger = scores(0.6 + difference, queries, seed=1)
        return judged(challenger, scores(0.6, queries), **policy).passed

    assert passes(-0.02, 60)
    assert not passes(-0.02, 6000)
    assert not passes(-0.06, 12), "more than tolerance_most is never noise"
    assert passes(-0.06, 12, tolerance_most=1.0)
    assert not passes(-0.02, 60, tolerance_most=0.01)
    champion = flat(0.6)
    assert judged(flat(0.599), champion).passed, "less than tolerance_least is always noise"
    assert not judged(flat(0.597), champion).passed
    assert not judged(flat(0.599), champion, tolerance_least=0).passed


def test_refusals_of_equal_challengers_are_as_rare_as_the_confidence_says() -> None:
    refused = 0
    for seed in range(200):
        both = np.random.default_rng(seed).normal(0.6, NOISE, (2, 150)).astype(np.float32)
        challenger, champion = ({"mAP": values} for values in both)
        chance, baseline = ({"mAP": np.full(150, value, np.float32)} for value in (0.0, 0.3))
        found = judged(challenger, champion, chance, baseline, tolerance_most=1.0)
        refused += not found.passed
    assert refused / 200 < 0.06  # one end of two: 2.5 % are expected


def test_what_is_at_chance_is_never_published() -> None:
    at_chance = scores(0.02, queries=200)
    for champion in (None, scores(0.02, 200, seed=1), flat(0.0, 200)):
        assert not judged(at_chance, champion).passed
    nothing_to_gain = judged(at_chance, None, baseline=0.02)  # the baseline is no better than chance
    assert "challenger cannot be told from chance" in nothing_to_gain.reason
    assert judged(scores(0.06, 200), baseline=0.02).passed
    assert judged(flat(1.0), chance=1.0, baseline=1.0).passed, "of a single class chance is perfect"


def test_a_champion_below_the_floor_does_not_lower_it() -> None:
    found = judged(scores(0.12, seed=1), scores(0.1))
    assert (found.verdict, found.against) == ("refused", "floor")
    assert "challenger is below the floor" in found.reason
    assert judged(scores(0.2, seed=1), scores(0.1)).against == "champion"
    near = judged(scores(0.159, seed=1), scores(0.161))
    assert near.passed, "a champion above it sets the bound itself"


@pytest.mark.parametrize("queries", [1, 2, 3, 10])
def test_of_few_queries_something_is_said_and_all_numbers_are_finite(queries: int) -> None:
    for champion in (None, flat(0.61, queries)):
        found = judged(flat(0.6, queries), champion, tolerance_least=0.01)
        assert found.passed == (queries > 1), found.reason
        assert all(np.isfinite([p.value, p.bound, p.difference, p.low, p.high]).all() for p in found.compared)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_what_is_no_measurement_is_refused(value: float) -> None:
    spoilt = scores(0.6)
    spoilt["nDCG"][3] = value
    for champion in (None, scores(0.5)):
        found = judged(spoilt, champion)
        assert (found.passed, found.reason) == (False, "challenger's nDCG is not a number")
    with pytest.raises(TaxohashError, match="champion's nDCG is not a number"):
        judged(scores(0.6), spoilt)


@pytest.mark.parametrize(
    "champion", [scores(0.6, 999), {"mAP": scores(0.6)["mAP"]}, {**scores(0.6), "ACG": scores(0.6)["mAP"]}]
)
def test_other_queries_or_metrics_cannot_be_compared(champion: Scores) -> None:
    with pytest.raises(TaxohashError, match=r"champion was asked .* evaluate both on the same queries"):
        judged(scores(0.6), champion)


@pytest.mark.parametrize("challenger", [{}, flat(0.6, 0), scores(0.6) | {"mAP": np.ones(3, np.float32)}])
def test_no_scores_are_no_challenger(challenger: Scores) -> None:
    with pytest.raises(TaxohashError, match="challenger's scores are of"):
        judged(challenger, None, challenger, challenger)


def test_the_same_seed_says_the_same() -> None:
    challenger, champion = scores(0.6, seed=1), scores(0.6)
    first = judged(challenger, champion)
    assert judged(challenger, champion) == first
    other = judged(challenger, champion, seed=1)
    assert other != first
    assert other.compared[0].low == pytest.approx(first.compared[0].low, abs=2e-3)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"confidence": 1.0}, "confidence = 1.0"),
        ({"floor_share": 1.5}, "floor_share = 1.5"),
        ({"tolerance_least": 0.1}, "tolerance_least = 0.1 is above tolerance_most = 0.05"),
        ({"approve": "perhaps"}, 'approve = "perhaps"'),
        ({"resamples": 3}, "resamples = 3"),
    ],
)
def test_a_bad_policy_is_one_line(bad: Mapping[str, Any], told: str) -> None:
    with pytest.raises(TaxohashError, match=told) as caught:
        read(Policy, bad)
    assert "\n" not in str(caught.value)
