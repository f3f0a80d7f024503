"""JSON from anybody: what is read is what the standard library reads, and nothing that is refused takes its time."""

import json
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.retrieval.json_body import MOST_REST, MOST_TEXTS, object_of
from services.web.refused import RefusedError


def sentence_of(body: bytes) -> str:
    with pytest.raises(RefusedError) as refused:
        object_of(body)
    assert (refused.value.status, refused.value.reason) == (400, "request")
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert len(sentence) < 300
    return sentence


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_what_was_written_is_read(fields: dict[str, object], ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(fields, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert object_of(bytearray(body)) == fields


@settings(max_examples=1000)
@given(
    st.lists(
        st.sampled_from(["{", "}", "[", "]", ",", ":", '"', "\\", '"a"', "1", "-", "e9", ".5", "null", " ", "\\u12", "ä", "\0"]),
        max_size=14,
    ).map("".join)
)  # fmt: skip
@example('"\\')
@example('{"a":1}x')
@example("\ufeff{}")
def test_whatever_else_comes_is_refused_in_one_sentence(text: str) -> None:
    try:
        found = object_of(text.encode())
    except RefusedError:
        sentence_of(text.encode())
    else:
        assert found == json.loads(text)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "expecting value"),
        (b"[1]", "no object"),
        (b'"text"', "no object"),
        (b'{"a": 1, "a": 1}', "names a field twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "names a field twice"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": -Infinity}', "no JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "too deep"),
        (b"[" * 20_000, "too deep"),
        (b'{"a": 1', "expecting"),
        (b"{'a': 1}", "expecting property name"),
    ],
)
def test_what_is_no_request_is_said_in_one_sentence(body: bytes, told: str) -> None:
    assert told in sentence_of(body)


@pytest.mark.parametrize(
    "piece",
    [b"0,", b"[],", b"{},", b'"",', b'"a",', b"1.5,", b"[", b'{"a":', b" ", b'"\\"', b"\\", b'"', b'"\\'],
)
def test_a_body_full_of_anything_is_refused_before_it_is_built(piece: bytes) -> None:
    body = b'{"a": [' + piece * (4_000_000 // len(piece))
    tracemalloc.start()
    try:
        sentence_of(body)
        assert (
            tracemalloc.get_traced_memory()[1] < 40_000_000
        )  # some copies of what came, none of what it stands for
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [b"x" * 5_000_000, b"\\\\" * 500_000, b'\\"' * 99_000, b"\\u0061" * 100_000])
def test_a_text_may_be_long(text: bytes) -> None:
    body = b'{"a": "' + text + b'", "b": 1}'
    assert object_of(body) == json.loads(body)
    assert object_of(bytearray(body)) == json.loads(body)


def test_the_limits_are_exact() -> None:
    texts = b'{"a": [%s]}' % b",".join([b'""'] * (MOST_TEXTS - 1))
    assert len(object_of(texts)["a"]) == MOST_TEXTS - 1
    sentence_of(b'{"a": [%s]}' % b",".join([b'""'] * MOST_TEXTS))
    rest = b'{"a": "%s"}' % (b"x" * 1_000_000)
    blanks = MOST_REST - len(b"{: }")
    assert len(object_of(b" " * blanks + rest)["a"]) == 1_000_000
    sentence_of(b" " * (blanks + 1) + rest)
