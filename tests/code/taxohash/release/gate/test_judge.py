"""The judgement of planted challengers: each gets the right verdict, for the right reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.release.gate import RULES, Policy, judge
from taxohash.release.gate.judge import SOUNDNESS
from tests.support.gate import MD5, evidence, flat, health, measured, scores, trust

CHAMPION = measured(scores(0.6), weights="champion")
POLICY = Policy(resamples=400)
COARSE = {"mAP/kind": scores(0.5, seed=3)["mAP/kind"]}
OTHER = "0123456789abcdef0123456789abcdef.dir"
LEAKED = np.arange(1000) < 11  # 1.1 %

PASSES: list[Any] = [
    ("equal", measured(scores(0.6, seed=1)), {}),
    ("better", measured(scores(0.65, seed=1)), {}),
    ("the champion itself", CHAMPION, {}),
    ("a tenth slower", measured(scores(0.6, seed=1), seconds=0.0044), {}),
    (
        "without probabilities, as the champion",
        measured(scores(0.6, seed=1), calibration={}),
        {"champion": {}},
    ),
    ("a few known queries", measured(scores(0.6, seed=1)), {"leaked": np.arange(1000) < 10}),
]
REFUSED: list[Any] = [
    ("champion", "worse than the champion", measured(scores(0.5, seed=1)), {}),
    (
        "champion",
        "worse than the champion: mAP/kind 0.5000",
        measured(scores(0.65, seed=1) | COARSE),
        {},
    ),
    ("latency", "2.25 times the champion's", measured(scores(0.65), seconds=0.009), {}),
    ("size", "3.00 times the champion's", measured(scores(0.65), size=3_000_000), {}),
    ("bits", "16 of 32 bits are dead", measured(scores(0.65), bit_health=health(16)), {}),
    ("bits", "1.00 in all, and labels have 1.50", measured(scores(0.65), bit_health=health(31)), {}),
    ("bits", "may be lower by 0.1", measured(scores(0.65), bit_health=health(5)), {}),
    ("collisions", "2 times as many may", measured(scores(0.65), collisions=0.05), {}),
    (
        "taxonomy",
        "not that of the data, they differ in 1 classes, such as odd/one",
        measured(scores(0.65), classes=CHAMPION.classes | {("odd", "one")}),
        {},
    ),
    ("calibration", "off by 0.279 more than by chance at most, of seen items on level class (hamming)", measured(scores(0.65), calibration=trust(0.3)), {}),
    ("calibration", "have no probabilities, and the champion's have", measured(scores(0.65), calibration={}), {}),
    ("leak", "11 of 1,000 queries have a picture of the training split", measured(scores(0.65)), {"leaked": LEAKED}),
    ("data", f"evaluated on data version {OTHER}, and the run is of {MD5}", measured(scores(0.65), dataset_md5=OTHER), {}),
    ("numbers", "challenger's mAHP is not a number", measured(scores(0.65) | {"mAHP": flat(np.nan)["mAHP"]}), {}),
]  # fmt: skip


@pytest.mark.parametrize(("challenger", "changed"), [case[1:] for case in PASSES], ids=[c[0] for c in PASSES])
def test_a_planted_one_that_is_sound_passes(challenger: Any, changed: dict[str, Any]) -> None:
    champion = replace(CHAMPION, calibration=changed.get("champion", CHAMPION.calibration))
    given = {name: value for name, value in changed.items() if name != "champion"}
    found = judge(evidence(challenger, champion, **given), POLICY)
    assert found.verdict == "passes", found.reason
    assert [one.rule for one in found.findings] == [
        "numbers", "data", "taxonomy", "leak", "champion", "floor", "chance", "bits", "collisions", "calibration", "latency", "size",
    ]  # fmt: skip
    assert all(one.verdict == "passes" and one.reason for one in found.findings)
    assert found.compared
    assert judge(evidence(challenger, champion, **given), Policy(approve="always")).verdict == "awaits"


@pytest.mark.parametrize(
    ("rule", "told", "challenger", "changed"), REFUSED, ids=[case[1][:30] for case in REFUSED]
)
def test_a_planted_one_that_is_not_is_refused_by_its_rule_alone(
    rule: str, told: str, challenger: Any, changed: dict[str, Any]
) -> None:
    found = judge(evidence(challenger, CHAMPION, **changed), POLICY)
    assert found.verdict == "refused"
    assert told in found.reason
    assert "\n" not in found.reason
    assert [one.rule for one in found.findings if one.verdict == "refused"] == [rule]
    always = Policy(resamples=400, approve="always")
    assert judge(evidence(challenger, CHAMPION, **changed), always).verdict == "refused"


def test_the_champion_itself_is_said_to_be_that() -> None:
    assert "challenger is the champion itself: mAP" in judge(evidence(CHAMPION, CHAMPION), POLICY).reason


def test_all_that_refuse_are_told() -> None:
    bad = measured(scores(0.4), seconds=0.1, bit_health=health(30), collisions=0.9)
    found = judge(evidence(bad, CHAMPION), POLICY)
    for told in ("worse than the champion", "30 of 32 bits", "90 % of the pairs", "25.00 times"):
        assert told in found.reason


def test_what_is_not_sound_is_not_looked_at_further() -> None:
    found = judge(evidence(measured(scores(0.4), dataset_md5=OTHER), CHAMPION), POLICY)
    assert [one.rule for one in found.findings] == ["numbers", "data", "taxonomy", "leak"]
    assert len(SOUNDNESS) + len(RULES) == 12
    assert found.compared == ()


def test_queries_that_were_learned_are_left_out_of_what_is_compared() -> None:
    """A challenger that knows ten answers by heart is not better by them."""
    known = {
        name: np.where(np.arange(1000) < 10, 1.0, values).astype(np.float32)
        for name, values in scores(0.6).items()
    }
    found = judge(evidence(measured(known), CHAMPION, leaked=np.arange(1000) < 10), POLICY)
    assert all(part.difference == pytest.approx(0, abs=1e-7) for part in found.compared)
    honest = judge(evidence(measured(known), CHAMPION), POLICY)
    assert all(part.difference > 0.002 for part in honest.compared)


def test_without_a_champion_only_absolute_bounds_count() -> None:
    big = measured(scores(0.6), seconds=9.0, size=10**9, collisions=0.3)
    assert judge(evidence(big), POLICY).verdict == "passes"
    told = judge(
        evidence(big), Policy(resamples=400, seconds_most=1.0, bytes_most=10**8, collisions_most=0.2)
    ).reason
    for bound in ("9e+03 ms: at most 1e+03", "1e+03 MB: at most 100", "30 % of the pairs"):
        assert bound in told
    assert "not looked at" in judge(evidence(measured(scores(0.6), bit_health={})), POLICY).reason


def test_classes_that_go_are_another_taxonomy_only_where_they_are_many() -> None:
    before = replace(CHAMPION, classes=frozenset(("kind", str(i)) for i in range(9)) | CHAMPION.classes)
    found = judge(evidence(measured(scores(0.6)), before), POLICY)
    assert (
        "9 of the champion's 12 classes are gone, such as kind/0, kind/1, kind/2, ...: more than 20 %"
        in found.reason
    )
    assert judge(evidence(measured(scores(0.6)), before), Policy(classes_gone_most=0.75)).passed
    assert (
        "9 of the champion's 12"
        in judge(evidence(measured(scores(0.6)), before), Policy(classes_gone_most=0.75)).findings[2].reason
    )


def test_a_query_that_was_not_looked_for_in_the_training_split_is_an_error() -> None:
    with pytest.raises(TaxohashError, match="3 queries were looked for"):
        evidence(measured(scores(0.6)), leaked=np.zeros(3, np.bool_))
