"""The numbers of a comparison against naive forms."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from taxohash.release.compare import Path, agreement, mean, overlap, paired, precision, spread, tau_b

ANSWERS = st.lists(st.integers(0, 9), max_size=6, unique=True)
NAMES = st.sampled_from(["a", "b"])
PATHS = st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=3)


def padded(*answers: list[int]) -> npt.NDArray[np.int64]:
    return np.array([own + [-1] * (6 - len(own)) for own in answers], np.int64).reshape(-1, 6)


@given(st.lists(st.tuples(ANSWERS, ANSWERS), min_size=1, max_size=4), st.integers(1, 6))
def test_overlap_is_that_of_sets(pairs: list[tuple[list[int], list[int]]], k: int) -> None:
    found = overlap(padded(*(one for one, _ in pairs)), padded(*(other for _, other in pairs)), k)
    for share, (one, other) in zip(found, pairs, strict=True):
        if most := max(len(one[:k]), len(other[:k])):
            assert share == len({*one[:k]} & {*other[:k]}) / most
        else:
            assert math.isnan(share)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.5, 3.0]), st.integers(0, 4)), min_size=1, max_size=9)
)
def test_tau_b_is_that_of_counted_pairs(both: list[tuple[float, int]]) -> None:
    one, other = (np.array(own, np.float64) for own in zip(*both, strict=True))
    for_, against, tied_one, tied_other, pairs = 0, 0, 0, 0, 0
    for i in range(len(one)):
        for j in range(i):
            pairs += 1
            tied_one += one[i] == one[j]
            tied_other += other[i] == other[j]
            for_ += (one[i] - one[j]) * (other[i] - other[j]) > 0
            against += (one[i] - one[j]) * (other[i] - other[j]) < 0
    found = tau_b(one, other)
    if length := math.sqrt((pairs - tied_one) * (pairs - tied_other)):
        assert found == pytest.approx((for_ - against) / length)
        assert found == pytest.approx(kendalltau(one, other).statistic)
    else:
        assert found == (tied_one == tied_other == pairs)
    assert tau_b(one, one) == 1


@given(PATHS, PATHS, PATHS)
def test_agreement_and_precision_are_of_names(one: set[Path], other: set[Path], asked: set[Path]) -> None:
    found, right = agreement(one, other, 3), precision(asked, [one, other], 3)
    for level in range(3):

        def shares(left: set[Path], right: set[Path], level: int = level) -> bool:
            return any(a[: level + 1] == b[: level + 1] for a in left for b in right)

        if one and other:
            assert found[level] == shares(one, other)
        else:
            assert math.isnan(found[level])
        if asked:
            assert right[level] == (shares(asked, one) + shares(asked, other)) / 2
        else:
            assert math.isnan(right[level])


def test_no_answer_has_no_precision() -> None:
    assert np.isnan(precision({("a",)}, [], 2)).all()


def test_quartiles_and_means_are_of_what_has_a_value() -> None:
    values = np.array([0.0, np.nan, 0.25, 0.5, 0.75, 1.0])
    told, middle = spread(values), mean(values)
    assert told is not None
    assert (told.lower, told.median, told.upper, told.queries) == (0.25, 0.5, 0.75, 5)
    assert middle is not None
    assert (middle.value, middle.queries) == (0.5, 5)
    nothing = np.array([np.nan])
    assert (spread(nothing), mean(nothing)) == (None, None)


def test_precisions_are_compared_query_by_query() -> None:
    noise = np.random.default_rng(0).random((200, 2))
    old, new = noise.copy(), noise + np.array([0.1, 0.0])
    old[0, 0] = np.nan  # the query is left out of both, on all levels
    told = paired(old, new, ["coarse", "fine"])
    assert [part.metric for part in told] == ["coarse", "fine"]
    assert [part.bound for part in told] == pytest.approx(noise[1:].mean(axis=0).tolist())
    assert [part.difference for part in told] == pytest.approx([0.1, 0.0])
    # Each gains as much: whichever queries are drawn, nothing is left open.
    assert [(part.low, part.high) for part in told] == [pytest.approx((0.1, 0.1)), (0.0, 0.0)]
    empty: npt.NDArray[Any] = np.full((3, 2), np.nan)
    assert paired(empty, empty, ["coarse", "fine"]) == ()
