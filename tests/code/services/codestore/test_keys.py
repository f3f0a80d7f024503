"""Names, slots and segments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from services.codestore.keys import (
    channel,
    check_name,
    collection_keys,
    lease_key,
    segment_keys,
    segments_of,
)
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


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), st.integers(0, 4_095))
def test_the_keys_of_a_call_share_a_slot(collection: str, segment: int) -> None:
    own = [*collection_keys(collection), lease_key(collection), channel(collection)]
    assert {key_slot(key.encode()) for key in own} == {key_slot(collection.encode())}
    keys = segment_keys(collection, segment)
    assert {key_slot(key.encode()) for key in keys} == {key_slot(f"{collection}:{segment}".encode())}
    assert len({*own, *keys}) == 7


@pytest.mark.parametrize("name", ["a", "fashion-mnist_2.0", "0" * 100])
def test_names_that_are_taken(name: str) -> None:
    assert check_name("collection", name) == name


@pytest.mark.parametrize("name", ["", ".a", "a b", "a}", "{a", "a:b", "ü", "a\n", "a" * 101, None, 7])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(TaxohashError, match="is no name"):
        check_name("collection", name)
