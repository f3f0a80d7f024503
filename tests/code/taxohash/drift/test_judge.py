"""Planted: what is the same is steady, and what is not is named by the statistic that fired."""

import json
from dataclasses import replace

import numpy as np
import pytest

from taxohash.drift.judge import Judgement, judge
from taxohash.drift.policy import Policy, Tolerance
from taxohash.drift.sample import Sample
from taxohash.errors import TaxohashError
from taxohash.generation.reference import Reference
from taxohash.runtime.configuration import plain, read
from tests.support.drifting import BITS, CLASSES, EVENLY, NOTHING_STORED, TOPS, drawn, sample_of, seen

POLICY = Policy(simulations=2000, false_alarms_every=100)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return drawn(1500, np.random.default_rng(0))


@pytest.fixture
def lately() -> Sample:
    return sample_of(drawn(400, np.random.default_rng(1)))


def fired(judgement: Judgement) -> set[tuple[str, str]]:
    """What raised an alarm; the verdict and its sentence say the same."""
    assert (judgement.verdict == "drifted") == bool(judgement.alarms)
    assert all(one.name in judgement.reason for one in judgement.alarms)
    assert "\n" not in judgement.reason
    assert read(Judgement, json.loads(json.dumps(plain(judgement)))) == judgement
    return {(one.of, one.statistic) for one in judgement.alarms}


def test_the_same_is_steady(reference: Reference, lately: Sample) -> None:
    found = judge(reference, seen(lately), POLICY)
    assert found.verdict == "steady"
    assert [one.statistic for one in found.findings] == [
        "bits",
        "worst_bit",
        "entropy",
        "nearest",
        "classes",
        "unlike",
    ]
    assert found.reason == "6 statistics are within what chance alone explains"
    assert found.rate <= 1 / 100
    assert judge(reference, seen(lately), POLICY) == found
    assert not fired(found)


def test_a_bit_that_is_stuck_is_named(reference: Reference, lately: Sample) -> None:
    bits = np.unpackbits(lately.codes, axis=1)
    bits[:, 5] = 1
    stuck = Sample(
        "queries", np.packbits(bits, axis=1), lately.weights, lately.top, lately.nearest, lately.unlike
    )
    found = judge(reference, seen(stuck), POLICY)
    assert ("queries", "worst_bit") in fired(found)
    assert "bit 5 is set: 100.0 %" in found.reason


def test_noise_is_noticed_by_all(reference: Reference) -> None:
    random = np.random.default_rng(2)
    codes = random.integers(0, 256, (400, BITS // 8), np.uint8)
    noise = Sample(
        "queries", codes, np.ones(400), np.full(400, -1, np.int32), np.full(400, 11, np.int32), np.ones(400, np.bool_)
    )  # fmt: skip
    found = judge(reference, seen(noise), POLICY)
    assert fired(found) >= {("queries", name) for name in ("classes", "nearest", "unlike")}
    assert "unlike anything known 0.9653" in found.reason
    assert "(100.0 %, was 3.5 %)" in found.reason


def test_another_mix_of_classes_is_named(reference: Reference) -> None:
    mix = EVENLY.copy()
    mix[:5] *= 4
    found = judge(reference, seen(sample_of(drawn(400, np.random.default_rng(3), mix / mix.sum()))), POLICY)
    assert ("queries", "classes") in fired(found)
    assert f"{TOPS[0]}: " in found.reason
    assert ("queries", "unlike") not in fired(found)


def test_pictures_that_are_like_nothing_known_are_named(reference: Reference, lately: Sample) -> None:
    unlike = np.arange(400) < 80
    foreign = Sample("queries", lately.codes, lately.weights, lately.top, lately.nearest, unlike)
    assert fired(judge(reference, seen(foreign), POLICY)) == {("queries", "unlike")}


def test_farther_ones_are_named_and_nearer_ones_are_not(reference: Reference, lately: Sample) -> None:
    assert lately.nearest is not None
    for moved, named in ((2, {("queries", "nearest")}), (-2, set())):
        nearest = np.maximum(lately.nearest + moved, 0).astype(np.int32)
        other = Sample("queries", lately.codes, lately.weights, lately.top, nearest, lately.unlike)
        assert fired(judge(reference, seen(other), POLICY)) == named


def test_a_single_picture_of_what_no_earlier_one_shows_is_no_alarm() -> None:
    """All earlier pictures lie at distance 0 of an item, and are like what is known: another 180 might not have."""
    own = drawn(180, np.random.default_rng(3))
    few = replace(own, nearest=np.zeros(180, np.int32), unlike=np.zeros(180, np.bool_))
    lately = sample_of(drawn(1000, np.random.default_rng(2)))
    for away, named in ((1, set()), (80, {("queries", "nearest"), ("queries", "unlike")})):
        shown = np.arange(1000) < away
        other = Sample("queries", lately.codes, lately.weights, lately.top, shown.astype(np.int32), shown)
        found = judge(few, seen(other), POLICY)
        assert fired(found) & {("queries", "nearest"), ("queries", "unlike")} == named
        of = {one.statistic: one for one in found.findings}
        assert all(bool(named) == (of[name].chance < 1 / 100) for name in ("nearest", "unlike"))


def with_canaries(
    reference: Reference, recall: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> Reference:
    return Reference(
        BITS, reference.nearest, reference.codes, reference.told, reference.unlike, reference.labelled, recall
    )


def test_canaries_that_find_their_class_no_more_are_named_however_little_was_asked(
    reference: Reference,
) -> None:
    random = np.random.default_rng(4)
    before = (random.random((200, 2)) < 0.9).astype(np.float32)
    watched = with_canaries(reference, before)
    now = before.astype(np.float64) * (random.random((200, 2)) < [0.95, 0.8])
    nobody = sample_of(drawn(3, random))
    found = judge(watched, seen(nobody, recall=now), POLICY)
    assert ("canaries", "recall") in fired(found)
    assert "canaries: recall@10 lost, class" in found.reason
    rounded = before * (1 - random.random((200, 2)) * 1e-7)  # nothing falls by that
    same = judge(watched, seen(nobody, recall=rounded), POLICY)
    assert same.verdict == "too few"
    assert [one.level for one in same.findings] == ["top", "class"]
    assert all((one.value, one.alarm) == (0, False) for one in same.findings)


def test_few_queries_are_too_few_and_no_alarm(reference: Reference) -> None:
    few = Sample("queries", np.zeros((99, BITS // 8), np.uint8), np.ones(99), np.full(99, -1, np.int32))
    found = judge(reference, seen(few), POLICY)
    assert (found.verdict, found.findings) == ("too few", ())
    assert found.reason.startswith("queries: 99 different pictures, and fewer than 100 tell nothing")
    assert (
        judge(
            reference, seen(few), Policy(queries_least=50, simulations=2000, false_alarms_every=100)
        ).verdict
        == "drifted"
    )


def test_what_was_stored_is_looked_at_by_its_own_labels(reference: Reference, lately: Sample) -> None:
    mix = np.zeros(CLASSES)
    mix[:10] = 0.1
    stored = sample_of(drawn(300, np.random.default_rng(5), mix), "items")
    found = judge(reference, seen(lately, stored), POLICY)
    assert fired(found) >= {("items", "classes"), ("items", "bits")}
    assert not {of for of, _ in fired(found)} & {"queries"}
    assert not any(one.of == "items" and one.statistic in ("nearest", "unlike") for one in found.findings)
    assert stored.top is not None
    partly = np.where(np.arange(300) % 3 == 0, stored.top, -1).astype(np.int32)
    evenly = sample_of(drawn(300, np.random.default_rng(6)), "items")
    assert evenly.top is not None
    partly = np.where(np.arange(300) % 3 == 0, evenly.top, -1).astype(np.int32)
    assert not fired(
        judge(reference, seen(lately, Sample("items", evenly.codes, evenly.weights, partly)), POLICY)
    )


def test_an_older_generation_is_judged_by_the_distances_that_it_has(
    reference: Reference, lately: Sample
) -> None:
    older = Reference.of_histogram(np.bincount(reference.nearest, minlength=BITS + 1), BITS)
    assert older is not None
    found = judge(older, seen(lately), POLICY)
    assert [one.statistic for one in found.findings] == ["nearest"]
    for what in ("bits", "classes", "unlike"):
        assert f"queries: the generation keeps no reference of {what}" in found.left_out
    assert lately.nearest is not None
    far = Sample(
        "queries",
        lately.codes,
        lately.weights,
        lately.top,
        (lately.nearest + 3).astype(np.int32),
        lately.unlike,
    )
    assert fired(judge(older, seen(far), POLICY)) == {("queries", "nearest")}
    stored = sample_of(drawn(300, np.random.default_rng(5)), "items")
    assert (
        "items: the generation keeps no reference of bits"
        in judge(older, seen(lately, stored), POLICY).left_out
    )


def test_what_is_tolerated_raises_no_alarm(reference: Reference, lately: Sample) -> None:
    foreign = Sample("queries", lately.codes, lately.weights, lately.top, lately.nearest, np.arange(400) < 80)
    for tolerance, verdict in ((0.1, "drifted"), (0.3, "steady")):
        policy = Policy(simulations=2000, false_alarms_every=100, tolerance=Tolerance(unlike=tolerance))
        assert judge(reference, seen(foreign), policy).verdict == verdict


def test_nothing_at_all_is_too_few(reference: Reference) -> None:
    empty = Sample("queries", np.empty((0, BITS // 8), np.uint8), np.empty(0))
    found = judge(reference, seen(empty, NOTHING_STORED), POLICY)
    assert (found.verdict, found.findings, found.rate) == ("too few", (), 0.0)


def test_more_sure_than_the_simulations_allow_is_refused() -> None:
    with pytest.raises(TaxohashError, match="too few for a false alarm in 365 checks: give 7300"):
        Policy(simulations=2000)
