"""The judge of reindexing, against what can be counted by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.release.recall import CanaryCodes, Catalogue
from taxohash.release.reindexing import Policy, judge

BITS = 12
PATHS = (("tops", "shirt"), ("tops", "coat"), ("shoes",), ("bags", "leather", "small"))
LEVELS = 3


def codes_of(numbers: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([[number >> 4, (number & 15) << 4] for number in numbers], np.uint8).reshape(-1, 2)


def catalogue(
    numbers: Sequence[int], labels: Sequence[Sequence[int]], first: int = 0, **health: float
) -> Catalogue:
    ids = [f"item {first + i}" for i in range(len(numbers))]
    return Catalogue(ids, labels, PATHS, codes_of(numbers), health)


def clustered(count: int, first: int = 0, noise: int = 0) -> Catalogue:
    """Items of each class at a code of its own, but for some bits of noise."""
    rng = np.random.default_rng(first)
    labels = [(i % len(PATHS),) for i in range(count)]
    numbers = [
        0x111 * (1 + 2 * own[0]) ^ (int(rng.integers(0, 1 << noise)) if noise else 0) for own in labels
    ]
    return catalogue(numbers, labels, first, entropy=0.9)


def canaries_of(count: int) -> CanaryCodes:
    labels = [i % len(PATHS) for i in range(count)]
    codes = codes_of([0x111 * (1 + 2 * own) for own in labels])
    return CanaryCodes(codes, [frozenset([PATHS[own]]) for own in labels], ("kind", "family"))


def test_what_stays_as_it_is_passes() -> None:
    same = clustered(200)
    found = judge(same, same, canaries_of(40), BITS)
    assert found.verdict == "passes"
    assert [part.metric for part in found.compared] == [
        "bit entropy",
        "canary recall@10 (kind)",
        "canary recall@10 (family)",
        "canary recall@10 (level 3)",
        "items gone",
        "items come",
        "items relabelled",
    ]
    assert all(part.low <= part.difference <= part.high for part in found.compared)
    assert found.reason == (
        "bits and canaries are as before; 0.0 % of the items go, 0.0 % are new, 0.0 % change their label"
    )
    assert judge(same, same, canaries_of(40), BITS, Policy(approve="always")).verdict == "awaits"


def without_canaries(before: Catalogue, after: Catalogue, **policy: Any) -> tuple[str, str]:
    found = judge(before, after, None, BITS, Policy(**policy))
    assert found.reason.isprintable()
    return found.verdict, found.reason


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100))
def test_shares_of_what_goes_comes_and_changes_are_counted(gone: int, come: int, kept: int) -> None:
    before, after = clustered(gone + kept), clustered(kept + come, first=gone)
    relabelled = [(0,)] * kept + [*after.labels[kept:]]
    after = replace(after, labels=relabelled)
    moved = sum(PATHS[before.labels[gone + i][0]] != PATHS[relabelled[i][0]] for i in range(kept))
    found = {part.metric: part.value for part in judge(before, after, None, BITS).compared}
    assert found["items gone"] == pytest.approx(gone / (gone + kept))
    assert found["items come"] == pytest.approx(come / (come + kept))
    assert found["items relabelled"] == pytest.approx(moved / kept)
    limits = [gone / (gone + kept) > 0.2, come / (come + kept) > 0.5, moved / kept > 0.2]
    assert without_canaries(before, after)[0] == ("awaits" if any(limits) else "passes")
    every = {"gone_most": 1.0, "come_most": 1.0, "relabelled_most": 1.0}
    assert without_canaries(before, after, **every)[0] == "passes"


def test_a_tree_that_only_orders_its_labels_anew_relabels_nothing() -> None:
    before = clustered(40)
    turned = len(PATHS) - 1
    after = replace(before, paths=PATHS[::-1], labels=[(turned - own[0],) for own in before.labels])
    assert without_canaries(before, after)[0] == "passes"
    renamed = replace(before, paths=(("tops", "blouse"), *PATHS[1:]))
    verdict, reason = without_canaries(before, renamed)
    assert verdict == "awaits"
    assert "25.0 % change their label (without a person's approval 20 % may)" in reason


def test_canaries_that_lose_their_class_refuse() -> None:
    before = clustered(200)
    scattered = replace(before, labels=[before.labels[(i * 7) % 200] for i in range(200)])
    lost = replace(before, labels=[(own[0] and own[0],) if own[0] else (2,) for own in before.labels])
    found = judge(before, lost, canaries_of(40), BITS, Policy(relabelled_most=1.0))
    assert found.verdict == "refused"
    assert "canary recall@10 (family) 0.7500 against 1.0000" in found.reason
    assert judge(lost, before, canaries_of(40), BITS, Policy(relabelled_most=1.0)).verdict == "passes"
    assert (
        judge(before, scattered, CanaryCodes(codes_of([]), []), BITS, Policy(relabelled_most=1.0)).verdict
        == "passes"
    )


def test_few_canaries_decide_nothing_by_a_little() -> None:
    policy = Policy(relabelled_most=1.0, tolerance_most=1.0)
    before = clustered(200)
    lost = replace(before, labels=[own if own[0] else (2,) for own in before.labels])
    assert judge(before, lost, canaries_of(2), BITS, policy).verdict == "passes"
    assert judge(before, lost, canaries_of(400), BITS, policy).verdict == "refused"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [(0.9, 0.9, "passes"), (0.9, 0.81, "passes"), (0.9, 0.7, "refused"), (0.5, 0.9, "passes")],
)
def test_bits_that_are_used_less_refuse(old: float, new: float, verdict: str) -> None:
    before = clustered(40)
    after = replace(before, health={"entropy": new})
    assert without_canaries(replace(before, health={"entropy": old}), after)[0] == verdict
    assert without_canaries(replace(before, health={}), after)[0] == "passes"
    nothing = replace(before, health={"entropy": float("nan")})
    assert judge(before, nothing, None, BITS).verdict == "refused"
    assert judge(before, nothing, None, BITS).compared == ()


def test_nothing_is_refused_and_the_first_of_a_collection_passes() -> None:
    some, none = clustered(10), catalogue([], [])
    assert without_canaries(some, none) == ("refused", "the new data version has no item that can be found")
    assert without_canaries(none, some)[0] == "passes"
    assert judge(none, some, canaries_of(4), BITS).verdict == "passes"


def test_what_does_not_belong_together_is_refused() -> None:
    some = clustered(10)
    for bad in (replace(some, ids=some.ids[:-1]), replace(some, codes=some.codes[:, :1])):
        with pytest.raises(TaxohashError, match="codes of the new generation"):
            judge(some, bad, None, BITS)
    with pytest.raises(TaxohashError, match="codes of the canaries"):
        judge(some, some, CanaryCodes(codes_of([1, 2]), [frozenset([PATHS[0]])]), BITS)
    with pytest.raises(TaxohashError, match=r"gone_most = 1\.5"):
        Policy(gone_most=1.5)
    with pytest.raises(TaxohashError, match=r"tolerance_least = 0\.5 is above tolerance_most"):
        Policy(tolerance_least=0.5)


def test_the_same_is_judged_the_same() -> None:
    before, after = clustered(100, noise=6), clustered(90, first=5, noise=6)
    assert judge(before, after, canaries_of(30), BITS) == judge(before, after, canaries_of(30), BITS)
