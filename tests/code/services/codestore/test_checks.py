"""What may not be written."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.codestore.checks import MAX_THUMBNAIL, check_ids, check_item
from services.codestore.records import Item
from taxohash.errors import TaxohashError
from tests.support.hostile_ids import HOSTILE_IDS


def test_ids_come_back_in_their_order() -> None:
    assert check_ids(item_id for item_id in HOSTILE_IDS) == HOSTILE_IDS


def test_what_is_no_id_is_refused_among_others() -> None:
    with pytest.raises(TaxohashError, match=r"item id 'x.* has 1025 bytes"):
        check_ids(["a", "x" * 1025])


def test_an_id_given_twice_is_named_in_one_line() -> None:
    with pytest.raises(TaxohashError, match=r"'b\\n' is given twice") as refused:
        check_ids(["a", "b\n", "c", "b\n", "a"])
    assert str(refused.value).isprintable()


ITEM = Item("a", (1,), b"x", "file:///a", ("new",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "between 1 and 1024"),
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
