"""Bands, first nodes and shares of a reference."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.health.reference import (
    BANDS,
    NODES,
    NONE,
    OTHER,
    Expected,
    band_ends,
    banded,
    chosen_nodes,
    node_labels,
)
from taxohash.generation.hasher import Hasher
from taxohash.generation.reference import NOTHING, Reference
from tests.support import watched
from tests.support.generations import BITS, TAXONOMY, make_generation

TOPS = [path[0] for path in TAXONOMY.class_paths(0)]
distances = st.lists(st.integers(0, BITS), min_size=1, max_size=80)


@given(distances, distances)
def test_bands_part_all_distances(reference: list[int], asked: list[int]) -> None:
    ends = band_ends(np.array(reference), BITS)
    assert len(ends) < BANDS
    assert sorted({*ends}) == list(ends)
    limits = [-1, *ends, BITS]
    for queries in (reference, asked):
        counts = np.bincount(queries, minlength=BITS + 1)
        wanted = [sum(low < own <= high for own in queries) for low, high in pairwise(limits)]
        assert banded(counts, ends).tolist() == wanted
    own = banded(np.bincount(reference, minlength=BITS + 1), ends)
    assert (own[:-1] > 0).all()  # the last may be empty: farther than all


@given(distances)
def test_a_band_has_more_than_an_eighth_only_where_they_lie_at_one_distance(reference: list[int]) -> None:
    limits = [-1, *band_ends(np.array(reference), BITS), BITS]
    for low, high in pairwise(limits):
        nearer = sum(low < own < high for own in reference)  # without its last distance
        assert BANDS * nearer <= len(reference) + BANDS


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ([0] * 10, (0,)),  # what is farther is seen
        ([0] * 7 + [3], (0,)),
        ([0] * 6 + [3, 5], (0, 3)),
        ([*range(16)], (1, 3, 5, 7, 9, 11, 13)),
        ([BITS] * 3, ()),
    ],
)
def test_many_at_one_distance_are_one_band(reference: list[int], wanted: tuple[int, ...]) -> None:
    assert band_ends(np.array(reference), BITS) == wanted


def test_nodes_with_the_most_queries_are_told_by_name() -> None:
    tops = [f"top {number}" for number in range(NODES + 4)]
    counts = np.arange(len(tops))
    nodes = chosen_nodes(tops, counts)
    assert nodes == tuple(reversed(tops[4:]))
    assert node_labels(tops, nodes) == (*nodes, OTHER, NONE)
    few = chosen_nodes(tops[:3], counts[:3] * 0)
    assert node_labels(tops[:3], few) == (*tops[:3], NONE)
    assert node_labels(["a", NONE], chosen_nodes(["a", NONE], np.array([1, 5]))) == ("a", OTHER, NONE)


def test_shares_are_those_of_the_queries() -> None:
    made = watched.reference()
    assert made.told is not None
    assert made.unlike is not None
    assert made.confidence is not None
    assert made.canaries is not None
    assert made.codes is not None
    found = Expected.made(made, TOPS, 0.5)
    told = made.told.tolist()
    assert found.tops == {
        name: pytest.approx(told.count(number) / len(told))
        for name, number in ((NONE, NOTHING), *((top, number) for number, top in enumerate(TOPS)))
    }
    assert sum(found.bands) == pytest.approx(1)
    assert found.queries == len(made)
    assert found.unlike == pytest.approx(sum(made.unlike.tolist()) / len(made))
    bits = np.unpackbits(made.codes, axis=1)[:, :BITS]
    assert found.bits == pytest.approx([sum(column) / len(made) for column in bits.T.tolist()])
    assert found.confidence == pytest.approx([sum(own) / len(made) for own in made.confidence.T.tolist()])
    assert found.recall == pytest.approx([sum(own) / len(own) for own in made.canaries.T.tolist()])
    assert found.entropy == 0.5


def test_an_older_generation_knows_less() -> None:
    assert Expected.made(None, TOPS) == Expected(nodes=tuple(TOPS))
    found = Expected.made(Reference(BITS, np.zeros(4, np.int32)), TOPS)
    assert (found.queries, found.bands, found.nodes) == (4, (1.0, 0.0), tuple(TOPS))
    assert (found.tops, found.confidence, found.unlike, found.bits, found.recall) == ({}, (), None, (), ())
    without = replace(watched.reference(), confidence=None)
    assert Expected.made(without, TOPS).confidence == ()


def test_one_that_cannot_be_read_is_told_and_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = make_generation(tmp_path)
    odd = replace(watched.reference(), told=np.full(watched.QUERIES, 99, np.int32))
    odd.save(tmp_path)
    made.write(tmp_path)
    assert Expected.of(Hasher(tmp_path)) == Expected(nodes=tuple(TOPS))
    (line,) = caplog.messages
    assert "build the generation again" in line
