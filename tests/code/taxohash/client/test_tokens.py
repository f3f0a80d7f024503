"""Tokens of several writes as one, as the store joins them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.records import Token
from taxohash.client.tokens import Tokens, joined

positions = st.dictionaries(st.integers(0, 9), st.integers(0, 10**9), max_size=6)


@given(positions, positions)
def test_tokens_are_joined_as_the_store_joins_them(first: dict[int, int], second: dict[int, int]) -> None:
    one, other = Token("4f1d09aa", first), Token("4f1d09aa", second)
    assert joined(str(one), str(other)) == str(one | other)


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        (None, "a", "a"), ("a", None, "a"), (None, None, None),
        ("4f1d09aa.1-5", "00000000.1-2", "00000000.1-2"), ("what", "else", "else"), ("4f1d09aa.1-5", "x", "x"),
    ],
)  # fmt: skip
def test_of_two_that_do_not_go_together_the_later_counts(
    earlier: str | None, later: str | None, expected: str | None
) -> None:
    assert joined(earlier, later) == expected


def test_what_was_written_is_remembered_and_forgotten() -> None:
    tokens = Tokens()
    tokens.wrote("4f1d09aa.1-5")
    tokens.wrote("4f1d09aa.2-3")
    tokens.wrote(None)
    assert tokens.newest == "4f1d09aa.1-5.2-3"
    tokens.forget()
    assert tokens.newest is None
