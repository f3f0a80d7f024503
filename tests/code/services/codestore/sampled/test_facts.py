"""A sampled query as bytes: what was put in comes out, and what is no such thing is refused in one line."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.sampled import Facts, Node, SampledQuery
from services.codestore.sampled.facts import file_of, query_in
from taxohash.errors import TaxohashError
from taxohash.images import decode
from tests.support.pictures import every_picture

SHARES = st.floats(0, 1)
NODES = st.builds(Node, name=st.text(max_size=9), confidence=SHARES)
FACTS = st.builds(
    Facts,
    when=st.integers(0, 10**11),
    share=SHARES,
    generation=st.text(max_size=9),
    bits=st.integers(1, 1024),
    code=st.text("0123456789abcdef", max_size=9),
    pixels=st.text("0123456789abcdef", min_size=16, max_size=16),
    nearest=st.integers(0, 1024),
    identical=st.booleans(),
    predicted=st.none() | st.lists(NODES, max_size=3).map(tuple),
    unlike=st.none() | st.booleans(),
    novelty=st.none() | st.floats(0, 1e9),
)
LEAST: dict[str, Any] = {
    "when": 7,
    "share": 0.5,
    "generation": "g",
    "bits": 8,
    "code": "0f",
    "pixels": "0" * 16,
    "nearest": 2,
}


@given(st.binary() | st.sampled_from([b"\n", b"a\nb\n", b"{}\n{}"]), FACTS)
def test_what_was_kept_is_read(picture: bytes, facts: Facts) -> None:
    assert query_in(file_of(SampledQuery(picture, facts))) == SampledQuery(picture, facts)


@pytest.mark.parametrize(
    ("name", "data"), list(every_picture()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_kept_query_is_the_picture_to_any_tool(name: str, data: bytes) -> None:
    kept = file_of(SampledQuery(data, Facts(**LEAST)))
    assert np.array_equal(np.asarray(decode(kept)), np.asarray(decode(data)))


def test_what_a_later_release_says_besides_is_left_out() -> None:
    line = json.dumps(LEAST | {"colour": "red"}).encode()
    assert query_in(b"picture\n" + line) == SampledQuery(b"picture", Facts(**LEAST))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"picture", b"picture\n", b"\n", b"picture\n[]", b"picture\n{}", b"{}", b"picture\n\xff", b"p\n" + b"[" * 100_000,
        *(file_of(SampledQuery(b"picture", Facts(**LEAST)))[:-end] for end in (1, 20, 80)),
        *(b"p\n" + json.dumps(LEAST | {name: value}).encode()
          for name, value in [("when", -1), ("share", 1.5), ("bits", "8"), ("nearest", None), ("predicted", [{"name": "a"}])]),
    ],
)  # fmt: skip
def test_what_is_none_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(TaxohashError) as caught:
        query_in(data)
    assert "\n" not in str(caught.value)
