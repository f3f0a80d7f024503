"""What may not be written. What the store does with it: tests/system/codestore/test_bad_input.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.checks import (
    MAX_METADATA,
    check_ids,
    check_item,
    check_items,
    check_revisions,
)
from services.codestore.records import Item
from services.codestore.wire import pack_items, pieces, unpack_item
from taxohash.errors import TaxohashError
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.outcome import answer

LABELS = range(3)
ITEM = Item("a", (1,), "file:///a", "0" * 64, "f" * 64, {"price": 1.5}, ("new",))


def test_ids_come_back_in_their_order() -> None:
    assert check_ids(item_id for item_id in HOSTILE_IDS) == HOSTILE_IDS
    assert check_ids([]) == []


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "x" * 1025], r"item id 'x.* has 1025 bytes"),
        (["a", "b\n", "c", "b\n", "a"], r"'b\\n' is given twice"),
        ("ab", "are the text 'ab': give a list of ids"),
        (b"ab", "are the text b'ab'"),
        (None, "are a NoneType"),
        ([], "the batch has no item: give at least one"),
    ],
)
def test_what_is_no_list_of_ids_is_refused_in_one_line(ids: Any, message: str) -> None:
    with pytest.raises(TaxohashError, match=message) as refused:
        check_ids(ids, empty=False)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "between 1 and 1024"),
        ({"labels": (3,)}, "label 3: the collection has no label of this number"),
        ({"labels": (0, -1)}, "label -1"),
        ({"labels": (True,)}, "label True"),
        ({"labels": (1.0,)}, "label 1.0"),
        ({"labels": 1}, "labels of item 'a' are not a tuple"),
        ({"labels": (0, 2, 0)}, r"labels \(0, 2, 0\): give each once"),
        ({"labels": tuple(range(257))}, "at most 256"),
        ({"uri": "a" * 2001}, "uri of item 'a'"),
        ({"uri": "a\nb"}, "control character"),
        ({"tags": ("",)}, "tag of item 'a'"),
        ({"tags": ("a\tb",)}, "control character"),
        ({"tags": ("a", "b", "a")}, "give each once"),
        ({"tags": tuple(map(str, range(65)))}, "at most 64"),
        ({"picture": "0" * 63}, "picture of item 'a' is '000"),
        ({"thumbnail": b"\xff\xd8"}, "thumbnail of item 'a'"),
        ({"pixels": "0" * 15}, "pixels of item 'a' are '000"),
        ({"pixels": "F" * 16}, "give the 16 hexadecimal digits"),
        ({"pixels": None}, "pixels of item 'a' are 'None'"),
        ({"picture": None}, "picture of item 'a' is 'None'"),
        ({"metadata": {"a": float("nan")}}, "finite"),
        ({"metadata": [1]}, "metadata of item 'a' is a list"),
        ({"metadata": np.ones(2)}, "metadata of item 'a' is a ndarray"),
        ({"metadata": {"a" * 65: 1}}, "metadata key of item 'a'"),
    ],
)
def test_an_item_out_of_bounds_is_refused(changes: dict[str, Any], message: str) -> None:
    assert check_item(ITEM, LABELS) == ITEM
    with pytest.raises(TaxohashError, match=message) as refused:
        check_item(replace(ITEM, **changes), LABELS)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("over", [0, 1])
def test_metadata_are_bounded_in_bytes(over: int) -> None:
    values = {"ü": "x" * (MAX_METADATA - len('{"ü": ""}'.encode()) + over)}
    assert (answer(lambda: check_item(Item("a", metadata=values), LABELS)) is None) == bool(over)


def test_a_numpy_label_is_a_label() -> None:
    assert check_item(Item("a", (np.int32(2),)), LABELS).labels == (2,)  # type: ignore[arg-type]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {"id": anything},
        optional=dict.fromkeys(
            ("labels", "uri", "picture", "thumbnail", "metadata", "tags", "pixels"), anything
        ),
    )
)
def test_what_is_let_through_can_be_written_and_comes_back(parts: dict[str, Any]) -> None:
    item = answer(lambda: check_item(Item(**parts), LABELS))
    if item is not None:
        _, label, _, labels, lengths, record, _, tags, _ = pack_items([item])
        assert lengths == pieces([record])[0]
        assert unpack_item(item.id, [3, bytes(4), bytes(4), record, tags, 3, label, labels]) == item


@given(anything)
def test_what_is_no_list_of_items_is_one_line(items: Any) -> None:
    if listed := answer(lambda: check_items(items)):
        assert all(answer(lambda item=item: check_item(item, LABELS)) is None for item in listed)  # type: ignore[misc]


@given(anything | st.lists(st.integers(-1, 2**33)), st.integers(0, 3))
def test_revisions_are_one_of_each_in_32_bits(revisions: Any, count: int) -> None:
    found = answer(lambda: check_revisions(revisions, count))
    if found is not None:
        assert (found.dtype, found.tolist()) == (np.dtype("<u4"), list(revisions))
        assert len(found) == count
