"""What is made of the numbers that a generation keeps of how far its answers can be trusted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.generation.calibration import (
    SURE,
    Calibration,
    Curve,
    Map,
    Rankings,
    depths_of,
    nodes_of,
    vote,
)
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.runtime.configuration import plain, read
from tests.support.generations import TAXONOMY, make_generation

DEPTHS = [3, 3, 2, 3, 3, 1]  # of the labels of TAXONOMY


def curve(*knots: tuple[float, float]) -> Curve:
    return Curve(scores=tuple(s for s, _ in knots), probabilities=tuple(p for _, p in knots))


def falling(top: float) -> Curve:
    return curve((0.0, top), (1.0, 0.0))


def maps(*tops: float) -> Rankings:
    own = Map(shared=tuple(map(falling, tops)), predicted=tuple(curve((0.0, 0.0), (1.0, 1.0)) for _ in tops))
    other = replace(own, shared=tuple(curve((0.0, top)) for top in tops))
    return Rankings(weighted=own, hamming=other)


KNOWN = Calibration(
    nearest=3, learned_from="train", seen=maps(1.0, 0.9, 0.8), new=maps(0.5, 0.4, 0.3), novelty=(2.0, 10.0)
)


def test_a_curve_is_straight_between_its_knots_and_constant_beyond() -> None:
    found = curve((1.0, 0.8), (3.0, 0.4))(np.array([0.0, 1.0, 2.0, 3.0, 9.0]))
    assert found.tolist() == pytest.approx([0.8, 0.8, 0.6, 0.4, 0.4])


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda knot: knot[0]
    ),
    st.floats(-1, 2),
)
def test_one_score_has_the_probability_that_it_has_among_many(
    knots: list[tuple[float, float]], score: float
) -> None:
    made = curve(*sorted(knots))
    for one in (score, *made.scores):
        assert made.at(one) == made(np.array([one]))[0]


@pytest.mark.parametrize(
    ("scores", "probabilities"), [((), ()), ((1.0, 1.0), (0.5, 0.5)), ((1.0,), (0.5, 0.4)), ((1.0,), (1.5,))]
)
def test_what_is_no_curve_is_refused(scores: tuple[float, ...], probabilities: tuple[float, ...]) -> None:
    with pytest.raises(TaxohashError):
        Curve(scores=scores, probabilities=probabilities)


def test_each_item_is_told_by_the_map_of_its_kind_and_order() -> None:
    distances, seen = np.array([0.0, 0.5, 0.5]), np.array([True, True, False])
    weighted = KNOWN.shared("weighted", distances, seen, np.array([3, 3, 3]))
    assert weighted == pytest.approx(np.array([[1, 0.9, 0.8], [0.5, 0.45, 0.4], [0.25, 0.2, 0.15]]))
    hamming = KNOWN.shared("hamming", distances, seen, np.array([3, 2, 0]))
    assert hamming[:2] == pytest.approx(np.array([[1, 0.9, 0.8], [1, 0.9, np.nan]]), nan_ok=True)
    assert np.isnan(hamming[2]).all()


def test_items_of_a_kind_that_was_not_measured_are_told_nothing_of() -> None:
    without = replace(KNOWN, seen=None)
    found = without.shared("weighted", np.zeros(2), np.array([True, False]), np.array([3, 3]))
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([0.5, 0.4, 0.3])
    assert replace(without, new=None).shared(
        "weighted", np.zeros(2), np.zeros(2, bool), np.ones(2, int)
    ).shape == (2, 0)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=2, max_size=2), st.data())
def test_a_coarser_level_is_never_less_probable(tops: list[list[float]], data: st.DataObject) -> None:
    known = Calibration(nearest=3, learned_from="train", seen=maps(*tops[0]), new=maps(*tops[1]))
    count = data.draw(st.integers(1, 5))
    distances = np.array(data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)))
    seen = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    depths = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    found = known.shared("weighted", distances, seen, depths)
    for row, depth in zip(found, depths, strict=True):
        assert np.isnan(row[depth:]).all()
        assert (np.diff(row[:depth]) <= 1e-12).all()


def test_levels_that_a_path_lacks_have_no_node() -> None:
    labels = np.array([0, 1, 2, 5, -1])
    nodes, depths = nodes_of(TAXONOMY, labels), depths_of(TAXONOMY, labels)
    assert depths.tolist() == [3, 3, 2, 1, 0]
    assert (nodes >= 0).sum(axis=1).tolist() == depths.tolist()
    assert nodes[0, :2].tolist() == nodes[1, :2].tolist()
    assert nodes[0, 2] != nodes[1, 2]


def naive_path(shared: Any, nodes: Any) -> list[tuple[int, float]]:
    path: list[tuple[int, float]] = []
    below = list(range(len(nodes)))
    for level in range(nodes.shape[1]):
        below = [i for i in below if nodes[i, level] >= 0]
        sums: dict[int, float] = {}
        for i in below:
            weight = 0.0 if np.isnan(shared[i, level]) else shared[i, level]
            sums[int(nodes[i, level])] = sums.get(int(nodes[i, level]), 0.0) + weight
        if not sums:
            break
        best = max(sums, key=lambda node: round(sums[node], 9))  # of equal ones the nearer, which came first
        path.append((best, sums[best] / len(nodes)))
        below = [i for i in below if nodes[i, level] == best]
    return path


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 10)), min_size=1, max_size=8))
def test_the_path_that_is_supported_most_is_found_level_by_level(items: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in items])
    nodes = nodes_of(TAXONOMY, labels)
    weights = np.array([weight for _, weight in items])[:, None] / np.array([10, 12, 16])
    shared = np.where(nodes < 0, np.nan, weights)
    winners, support = vote(np.stack([shared] * 2), np.stack([nodes] * 2))
    expected = naive_path(shared, nodes)
    for own, share in zip(winners, support, strict=True):
        assert own[own >= 0].tolist() == [node for node, _ in expected]
        assert share[: len(expected)] == pytest.approx([value for _, value in expected])
        assert (own[len(expected) :] == -1).all()


def test_a_path_is_told_as_far_as_it_is_sure() -> None:
    def path(labels: list[int], distances: list[float], seen: bool = True) -> list[tuple[str, float]]:
        own, kinds = np.array(labels, np.int32), np.full(len(labels), seen)
        shared = KNOWN.shared("weighted", np.array(distances), kinds, depths_of(TAXONOMY, own))
        return KNOWN.predicted("weighted", TAXONOMY, shared, kinds, own)

    assert path([0, 0, 0], [0, 0, 0]) == [
        ("warm", 1.0),
        ("red", pytest.approx(0.9)),
        ("scarlet", pytest.approx(0.8)),
    ]
    assert path([0, 0, 1], [0, 0, 0]) == [
        ("warm", 1.0),
        ("red", pytest.approx(0.9)),
        ("scarlet", pytest.approx(1.6 / 3)),
    ]
    assert path([0, 1, 2], [0, 0, 0]) == [("warm", 1.0), ("red", pytest.approx(0.6))]
    assert path([0, 3, 5], [0, 0, 0]) == []
    assert path([5, 5, 5], [0, 0, 0]) == [("grey <b>&amp;", 1.0)]
    assert path([-1, -1, -1], [0, 0, 0]) == path([], []) == []
    assert path([0, 0, 0], [0.3, 0.3, 0.3], seen=False) == []
    assert SURE == 0.5


def test_a_picture_beyond_a_limit_of_either_kind_is_unlike() -> None:
    novelty = np.array([[2, 10], [2.5, 0], [0, 30], [0, 0]], np.float32)
    found = KNOWN.strangeness(novelty)
    assert found is not None
    assert found.tolist() == [1, 1.25, 3, 0]
    assert KNOWN.strangeness(None) is replace(KNOWN, novelty=()).strangeness(novelty) is None
    nothing = replace(KNOWN, novelty=(0.0, 0.0)).strangeness(novelty)
    assert nothing is not None
    assert (nothing > 1).tolist() == [True, True, True, False]


def test_a_generation_keeps_it_and_one_without_is_served_without(tmp_path: Path) -> None:
    bare = make_generation(tmp_path)
    assert "calibration" not in json.loads((tmp_path / "generation.json").read_text())
    assert Hasher(tmp_path).calibration is None
    written = replace(bare, calibration=plain(KNOWN)).write(tmp_path)
    assert written.id != bare.id
    assert Generation.load(tmp_path) == written
    assert Hasher(tmp_path).calibration == KNOWN == read(Calibration, plain(KNOWN))


def test_what_is_no_calibration_is_refused_with_the_manifest(tmp_path: Path) -> None:
    bare = make_generation(tmp_path)
    told = plain(KNOWN) | {"seen": {"weighted": 3}}
    replace(bare, calibration=told).write(tmp_path)
    with pytest.raises(TaxohashError, match=r"is not a generation's manifest \(calibration"):
        Generation.load(tmp_path)
    replace(bare, calibration=plain(KNOWN) | {"seen": plain(maps(0.5)) | {"x": 1}}).write(tmp_path)
    with pytest.raises(
        TaxohashError, match=r"calibration\.seen\.x is not known: use one of hamming, weighted"
    ):
        Generation.load(tmp_path)


def test_maps_of_other_levels_than_the_tree_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match=r"maps are of 2, 3 levels: give each one curve a level"):
        replace(KNOWN, new=maps(0.5, 0.4))
    with pytest.raises(TaxohashError, match=r"novelty has 3 limits: give 2, or none"):
        replace(KNOWN, novelty=(1.0, 2.0, 3.0))
    flat = Calibration(nearest=3, learned_from="train", new=maps(0.5, 0.4))
    replace(make_generation(tmp_path), calibration=plain(flat)).write(tmp_path)
    with pytest.raises(
        TaxohashError, match=r"is calibrated for 2 levels, its taxonomy has 3: export it again"
    ):
        Hasher(tmp_path)
