"""What may be an item's id."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.identifiers import MAX_BYTES, check_id, shown
from tests.support.hostile_ids import HOSTILE_IDS


@pytest.mark.parametrize("text", HOSTILE_IDS)
def test_any_text_is_an_id(text: str) -> None:
    assert check_id(text) == text
    assert shown(text).isprintable()


@given(st.text(max_size=8), st.integers(1, 700))
@example("日", 342)
@example(".", 1)
@example(".", 2)
@example(".", 3)
@example("\n", MAX_BYTES)
@example("\n", MAX_BYTES + 1)
def test_bytes_decide_not_characters(part: str, times: int) -> None:
    text = part * times
    surrogate = any("\ud800" <= letter <= "\udfff" for letter in text)
    size = len(text.encode(errors="surrogatepass"))
    if 1 <= size <= MAX_BYTES and not surrogate and text not in (".", ".."):
        assert check_id(text) == text
        return
    with pytest.raises(TaxohashError) as refused:
        check_id(text)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 700
    if not surrogate and text not in (".", ".."):
        assert f"has {size} bytes of UTF-8: keep it between 1 and 1024" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "item id '' has 0 bytes"),
        ("ab" * 600, "item id 'ababab"),
        ("a\ud800", r"the lone surrogate '\\ud800'"),
        (7, "item id 7 is not a string"),
        (".", "cannot stand in an address"),
        ("..", "cannot stand in an address"),
        (None, "is not a string"),
        (b"a", "is not a string"),
    ],
)
def test_what_is_refused_is_told(text: Any, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        check_id(text)
