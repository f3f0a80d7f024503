"""What may not be written."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.checks import MAX_THUMBNAIL, check_ids, check_item
from services.codestore.records import Item
from taxohash.errors import TaxohashError


@given(st.text(min_size=1, max_size=30))
def test_an_id_that_is_taken_is_one_line_of_utf8(item_id: str) -> None:
    try:
        check_ids([item_id])
    except TaxohashError:
        return
    assert item_id.encode().decode() == item_id
    assert item_id.splitlines() == [item_id]
    assert "\t" not in item_id


@pytest.mark.parametrize("item_id", ["a", "ü/1.png", "日本", "a" * 200, "with space", "{tag}"])
def test_ordinary_ids_are_taken(item_id: str) -> None:
    assert check_ids([item_id]) == [item_id]


@pytest.mark.parametrize(
    "item_id", ["", "a" * 201, "a\nb", "a\0", "\x7f", "\x85", "\u2028", "\ud800", 7, None, b"a"]
)
def test_other_ids_are_refused(item_id: Any) -> None:
    with pytest.raises(TaxohashError, match="item id"):
        check_ids([item_id])


def test_an_id_given_twice_is_named() -> None:
    with pytest.raises(TaxohashError, match="'b' is given twice"):
        check_ids(["a", "b", "c", "b", "a"])


ITEM = Item("a", (1,), b"x", "file:///a", ("new",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "between 1 and 200"),
        ({"labels": (3,)}, "label 3: the taxonomy has labels 0 to 2"),
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
        ({"tags": ("a",) * 65}, "65 tags"),
        ({"thumbnail": "text"}, "thumbnail of item 'a'"),
        ({"thumbnail": bytes(MAX_THUMBNAIL + 1)}, "make it smaller"),
    ],
)
def test_an_item_out_of_bounds_is_refused(changes: dict[str, Any], message: str) -> None:
    assert check_item(ITEM, 3) == ITEM
    with pytest.raises(TaxohashError, match=message):
        check_item(replace(ITEM, **changes), 3)


def test_a_numpy_label_is_a_label() -> None:
    assert check_item(Item("a", (np.int32(2),)), 3).labels == (2,)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [(), (1,), (2, 0, 1)])
def test_one_label_several_and_none_are_taken(labels: tuple[int, ...]) -> None:
    assert check_item(Item("a", labels), 3).labels == labels
