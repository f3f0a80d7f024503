"""Tokens and labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.records import ItemLabels, Token, Written
from taxohash.errors import TaxohashError
from tests.support.outcome import answer

positions = st.dictionaries(st.integers(0, 4_095), st.integers(0, 10**15 - 1), max_size=20)
tokens = st.builds(Token, st.just("0123abcd"), positions)


@given(tokens)
def test_a_token_comes_back_from_its_text(token: Token) -> None:
    assert Token.parse(str(token)) == token
    assert str(token).isascii()
    assert str(token).isprintable()


def test_the_text_of_a_token_is_the_same_in_every_order() -> None:
    assert str(Token("0123abcd", {2: 7, 0: 1})) == "0123abcd.0-1.2-7" == str(Token("0123abcd", {0: 1, 2: 7}))


@given(st.text() | st.from_regex(r"[0-9a-f]{8}(\.[0-9]{1,5}-[0-9]{1,16}){1,3}"))
def test_what_is_no_token_is_one_line_or_a_token(text: str) -> None:
    token = answer(lambda: Token.parse(text))
    assert token is None or set(token.positions) <= set(range(10_000))


@pytest.mark.parametrize(
    "text", ["", "0123abcd.", "0123ABCD", "0123abcd.1", "0123abcd.1-", "0123abcd.1-2\n", None, b"x"]
)
def test_these_are_none(text: str) -> None:
    with pytest.raises(TaxohashError, match="is no token"):
        Token.parse(text)


@given(tokens, tokens, tokens)
def test_joining_tokens_keeps_the_later_position(a: Token, b: Token, c: Token) -> None:
    assert (a | b) | c == a | (b | c)
    assert a | b == b | a
    assert a | a == a
    for segment in a.positions.keys() | b.positions.keys():
        assert (a | b).positions[segment] == max(a.positions.get(segment, 0), b.positions.get(segment, 0))


def test_results_are_counted() -> None:
    assert Written(Token("0123abcd", {}), ("added", "kept", "added")).count("added") == 2


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=8), st.data())
def test_labels_are_taken_and_joined_like_lists(rows: list[list[int]], data: st.DataObject) -> None:
    flat = np.array([label for row in rows for label in row], np.int32)
    labels = ItemLabels.of(flat, np.array([len(row) for row in rows], np.int64))
    assert [labels[i].tolist() for i in range(len(labels))] == rows
    assert labels.owners.tolist() == [i for i, row in enumerate(rows) for _ in row]
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    taken = labels.taken(np.array(chosen, np.int64))
    assert [taken[i].tolist() for i in range(len(taken))] == [rows[i] for i in chosen]
    joined = ItemLabels.joined([labels, taken])
    assert [joined[i].tolist() for i in range(len(joined))] == rows + [rows[i] for i in chosen]
    assert joined.flat.dtype == np.int32
