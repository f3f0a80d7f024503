"""Names, slots and segments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from services.codestore.functions import LIBRARY, SOURCE, VERSION, full_name
from services.codestore.keys import check_name, collection_key, segment_key, segments_of
from taxohash.errors import TaxohashError


def test_segments_never_change() -> None:
    # The check value of CRC-32: another function here would lose every item that is stored.
    assert segments_of(["123456789"], 1 << 32).tolist() == [0xCBF43926]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20)), st.integers(1, 100))
def test_an_id_has_one_segment_in_range(ids: list[str], segments: int) -> None:
    found = segments_of(ids, segments)
    assert ((found >= 0) & (found < segments)).all()
    assert found.tolist() == [int(segments_of([item_id], segments)[0]) for item_id in ids]


def test_segments_are_even() -> None:
    counts = np.bincount(segments_of([f"train-{number}" for number in range(60_000)], 16), minlength=16)
    assert counts.min() > 0.9 * 60_000 / 16


@given(st.integers(0, 50))
def test_what_is_made_from_a_prefix_shares_its_slot(segment: int) -> None:
    prefix = segment_key("fashion", segment)
    assert key_slot(prefix.encode()) == key_slot(f"{prefix}:codes:g:7".encode())
    assert key_slot(prefix.encode()) == key_slot(f"fashion:{segment}".encode())
    assert key_slot(collection_key("fashion").encode()) == key_slot(b"fashion")


@pytest.mark.parametrize("name", ["a", "fashion-mnist_2.0", "0" * 100])
def test_names_that_are_taken(name: str) -> None:
    assert check_name("collection", name) == name


@pytest.mark.parametrize("name", ["", ".a", "a b", "a}", "{a", "a:b", "ü", "a\n", "a" * 101, None])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(TaxohashError, match="is no name"):
        check_name("collection", name)


def test_functions_carry_their_version() -> None:
    assert SOURCE.startswith(f"#!lua name={LIBRARY}\n")
    assert full_name("publish") == f"publish_{VERSION}"
    assert LIBRARY.endswith(VERSION)
