"""Canaries in a generation's folder: kept whole, chosen evenly, and damage that is told."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.generation.canaries import CANARIES, Canaries, chosen
from taxohash.generation.hasher import Hasher
from tests.support.generations import make_generation

KEPT = Canaries((b"one", b"", b"three\n"), ((0,), (), (2, 5)))


@pytest.mark.parametrize("canaries", [KEPT, Canaries((), ())])
def test_what_was_saved_is_loaded(tmp_path: Path, canaries: Canaries) -> None:
    canaries.save(tmp_path)
    assert Canaries.load(tmp_path) == canaries


def test_a_folder_without_them_has_none(tmp_path: Path) -> None:
    assert Canaries.load(tmp_path) is None


@given(st.lists(st.lists(st.integers(0, 3), max_size=2), max_size=30), st.integers(0, 12))
def test_those_that_are_chosen_are_of_every_class_evenly(labels: list[list[int]], most: int) -> None:
    rows = chosen(labels, most)
    assert rows == sorted(set(rows))
    assert len(rows) == min(most, len(labels))
    there = Counter(min(own, default=-1) for own in labels)
    taken = Counter(min(labels[row], default=-1) for row in rows)
    most_of_one = max(taken.values(), default=0)
    assert all(taken[label] >= min(count, most_of_one - 1) for label, count in there.items())


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    file = KEPT.save(tmp_path)
    whole = dict(np.load(file))
    spoilt = [
        {"picture_ends": np.array([3, 2, 9])},
        {"picture_ends": np.array([3, 3, 8])},
        {"picture_ends": np.array([3, 9])},
        {"labels": np.zeros((3, 1), np.int32)},
        {"labels": np.zeros(3)},
        {"label_ends": np.array([-1, 1, 3])},
    ]
    for wrong in spoilt:
        np.savez(file, **whole | wrong)
        with pytest.raises(
            TaxohashError, match=r"canaries\.npz holds no canaries: export the generation again"
        ):
            Canaries.load(tmp_path)
    for data in (b"", file.read_bytes()[:90]):
        file.write_bytes(data)
        with pytest.raises(TaxohashError, match="holds no canaries"):
            Canaries.load(tmp_path)
    np.savez(file, **{name: array for name, array in whole.items() if name != "labels"})
    with pytest.raises(TaxohashError, match="holds no canaries"):
        Canaries.load(tmp_path)


def test_a_hasher_knows_them_and_refuses_labels_that_are_not_its_own(tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    assert Hasher(tmp_path).canaries is None
    KEPT.save(tmp_path)
    sealed = replace(made, files={}).write(tmp_path)
    assert CANARIES in sealed.files
    assert Hasher(tmp_path).canaries == KEPT
    Canaries((b"one",), ((6,),)).save(tmp_path)
    replace(made, files={}).write(tmp_path)
    with pytest.raises(TaxohashError, match="labels that are not in its taxonomy"):
        _ = Hasher(tmp_path).canaries
