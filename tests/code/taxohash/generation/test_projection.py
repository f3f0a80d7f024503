"""The map of codes that a generation keeps, against sums bit by bit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.codes import pack
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.generation.projection import Projection
from taxohash.runtime.configuration import plain
from tests.support.generations import BITS, make_generation


def projection_of(bits: int, seed: int = 0) -> Projection:
    random = np.random.default_rng(seed)
    weights = random.normal(size=(bits, 2)).round(3).tolist()
    return Projection(weights=tuple(map(tuple, weights)), offset=(1.0, -2.0), explained=(0.5, 0.25))


@given(bits=st.integers(1, 40), count=st.integers(0, 5), seed=st.integers(0, 99))
def test_a_code_lies_at_the_offset_and_the_weights_of_its_set_bits(bits: int, count: int, seed: int) -> None:
    ones = np.random.default_rng(seed).integers(0, 2, (count, bits))
    projection = projection_of(bits, seed)
    places = projection.places(pack(ones - 0.5))
    assert places.shape == (count, 2)
    for own, place in zip(ones.tolist(), places.tolist(), strict=True):
        for axis in (0, 1):
            added = sum(weight[axis] for weight, bit in zip(projection.weights, own, strict=True) if bit)
            assert place[axis] == pytest.approx(projection.offset[axis] + added)


def test_codes_of_another_length_are_refused() -> None:
    with pytest.raises(TaxohashError, match="20 bits"):
        projection_of(20).places(np.zeros((1, 2), np.uint8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": []}, "weights"),
        ({"weights": [[1.0]]}, "weights"),
        ({"weights": [[1.0, float("nan")]]}, "weights"),
        ({"offset": [1.0, 2.0, 3.0]}, "offset"),
        ({"explained": [0.5, 1.5]}, "explained"),
        ({"more": 1}, "more is not known"),
    ],
)
def test_what_is_no_map_is_refused_in_one_line(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    replace(made, projection=plain(projection_of(BITS)) | change).write(tmp_path)
    with pytest.raises(TaxohashError, match=said) as error:
        Generation.load(tmp_path)
    assert str(error.value).isprintable()


def test_a_generation_keeps_its_map_and_older_ones_have_none(tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    assert "projection" not in json.loads((tmp_path / "generation.json").read_text())
    assert Hasher(tmp_path).projection is None
    mapped = replace(made, projection=plain(projection_of(BITS))).write(tmp_path)
    assert mapped.id != made.id
    assert Hasher(tmp_path).projection == projection_of(BITS)
    replace(made, projection=plain(projection_of(BITS + 1))).write(tmp_path)
    with pytest.raises(
        TaxohashError, match=f"map of codes of {BITS + 1} bits, and codes of {BITS}: export it again"
    ):
        Hasher(tmp_path)
