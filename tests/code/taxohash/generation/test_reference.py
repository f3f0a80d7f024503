"""What a generation keeps of its queries."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.generation.reference import REFERENCE, Reference
from tests.support.drifting import BITS, drawn
from tests.support.generations import make_generation

WHOLE = replace(
    drawn(30, np.random.default_rng(0)),
    canaries=np.ones((7, 2), np.float32),
    confidence=np.full((30, 2), 0.5, np.float32),
)
PARTLY = Reference(BITS, WHOLE.nearest)


@pytest.mark.parametrize("reference", [WHOLE, PARTLY])
def test_what_is_kept_is_read_again_and_is_the_same_bytes(reference: Reference, tmp_path: Path) -> None:
    reference.save(tmp_path)
    found = Reference.load(tmp_path)
    assert found is not None
    for own in fields(Reference):
        assert np.array_equal(getattr(found, own.name), getattr(reference, own.name))
    before = (tmp_path / REFERENCE).read_bytes()
    found.save(tmp_path)
    assert (tmp_path / REFERENCE).read_bytes() == before


def test_where_nothing_was_kept_there_is_none(tmp_path: Path) -> None:
    assert Reference.load(tmp_path) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"bits": BITS + 8},
        {"codes": WHOLE.nearest},
        {"told": np.zeros(29, np.int32)},
        {"nearest": np.zeros(30, np.float64)},
        {"unlike": np.zeros(30, np.int32)},
        {"canaries": np.ones(7, np.float32)},
        {"confidence": np.ones((29, 2), np.float32)},
        {"confidence": np.ones((30, 2), np.float64)},
        {"nearest": WHOLE.nearest + np.int32(BITS + 1)},
        {"nearest": WHOLE.nearest - np.int32(BITS + 1)},
        {"more": np.ones(7, np.float32)},
        {"nearest": np.array([None, {}])},
        {},
    ],
)
def test_what_is_damaged_is_one_line(changed: dict[str, object], tmp_path: Path) -> None:
    held = {own.name: getattr(WHOLE, own.name) for own in fields(Reference)}
    np.savez(tmp_path / REFERENCE, **(held | changed))
    if not changed:
        (tmp_path / REFERENCE).write_bytes((tmp_path / REFERENCE).read_bytes()[:-90])
    with pytest.raises(TaxohashError, match="build the generation again") as refused:
        Reference.load(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_histogram_is_so_many_queries_at_each_distance() -> None:
    counts = np.zeros(BITS + 1, int)
    counts[[0, 3, BITS]] = 2, 1, 1
    found = Reference.of_histogram(counts.tolist(), BITS)
    assert found is not None
    assert found.nearest.tolist() == [0, 0, 3, BITS]
    for wrong in ([], [0] * (BITS + 1), [1] * BITS, [-1] + [2] * BITS):
        assert Reference.of_histogram(wrong, BITS) is None


def test_an_older_generation_is_known_by_its_histogram(tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    assert Reference.known(tmp_path, made) is None
    told = replace(made, reference={"nearest_distance": [2, 1] + [0] * (made.bits - 1)})
    found = Reference.known(tmp_path, told)
    assert found is not None
    assert found.nearest.tolist() == [0, 0, 1]
    PARTLY.save(tmp_path)
    with pytest.raises(TaxohashError, match=rf"queries of {BITS} bits, its codes have {made.bits}"):
        Reference.known(tmp_path, told)
    WHOLE.save(tmp_path)
    kept = Reference.known(tmp_path, replace(told, bits=BITS))
    assert kept is not None
    assert len(kept) == len(WHOLE)
