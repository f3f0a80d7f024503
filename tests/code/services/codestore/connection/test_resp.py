from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.connection.errors import ErrorReply, LinkError, SilenceError
from services.codestore.connection.resp import Push, Reader, packed

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary()
    | st.builds(ErrorReply, st.from_regex(r"[A-Z]+ [a-z ]*", fullmatch=True))
)
REPLIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.binary(max_size=5), inner) | st.lists(inner).map(Push),
    max_leaves=12,
)


def encoded(value: Any) -> bytes:
    """RESP3 of a value, written anew from the specification."""
    if value is None:
        return b"_\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, float):
        return b",%s\r\n" % repr(value).encode()
    if isinstance(value, bytes):
        return b"$%d\r\n%s\r\n" % (len(value), value)
    if isinstance(value, ErrorReply):
        return b"-%s\r\n" % value.text.encode()
    if isinstance(value, dict):
        pairs = b"".join(encoded(part) for pair in value.items() for part in pair)
        return b"%%%d\r\n%s" % (len(value), pairs)
    return b"%s%d\r\n%s" % (
        b">" if isinstance(value, Push) else b"*",
        len(value),
        b"".join(map(encoded, value)),
    )


def source(data: bytes, cuts: list[int]) -> Callable[[int], bytes]:
    """Hands out the data in pieces of so many bytes, and then nothing more in time."""
    left = [data]
    sizes = iter(cuts)

    def receive(missing: int) -> bytes:
        if not left[0]:
            raise SilenceError("no answer came in time")
        size = next(sizes, len(left[0]))
        piece, left[0] = left[0][:size], left[0][size:]
        return piece

    return receive


@given(st.lists(REPLIES, max_size=5), st.lists(st.integers(1, 9)))
def test_replies_are_read_however_they_are_cut(replies: list[Any], cuts: list[int]) -> None:
    reader = Reader(source(b"".join(map(encoded, replies)), cuts))
    read = [reader.reply() for _ in replies]
    assert read == replies
    assert [type(reply) for reply in read] == [type(reply) for reply in replies]
    with pytest.raises(SilenceError):
        reader.reply()


@given(REPLIES, st.integers(min_value=0))
def test_a_reply_that_was_cut_off_is_read_again_from_its_beginning(reply: Any, cut: int) -> None:
    data = encoded(reply)
    head, tail = data[: cut % len(data)], data[cut % len(data) :]
    pieces = [*([head] if head else []), None, tail]

    def receive(missing: int) -> bytes:
        piece = pieces.pop(0)
        if piece is None:
            raise SilenceError("no answer came in time")
        return piece

    reader = Reader(receive)
    with pytest.raises(SilenceError):
        reader.reply()
    assert reader.reply() == reply


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"+OK\r\n", b"OK"),
        (b"(12345678901234567890123\r\n", 12345678901234567890123),
        (b"=7\r\ntxt:abc\r\n", b"abc"),
        (b"!5\r\nERR x\r\n", ErrorReply("ERR x")),
        (b"~1\r\n:1\r\n", [1]),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b",inf\r\n", float("inf")),
    ],
)
def test_other_kinds(data: bytes, value: Any) -> None:
    assert Reader(source(data, [])).reply() == value


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request secret\r\n",
        b"\r\n",
        b"$3\r\nabcde",
        b"$-2\r\n",
        b":secret\r\n",
        b"%1\r\n*0\r\n:1\r\n",
        b"*1\r\n" * 100_000,
        b"\xff\xfe\r\n",
    ],
)
def test_other_bytes_are_refused_and_not_repeated(data: bytes) -> None:
    with pytest.raises(LinkError, match="none of Redis's protocol") as caught:
        Reader(source(data, [])).reply()
    assert "secret" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_reply_or_refused(data: bytes) -> None:
    reader = Reader(source(data, []))
    with pytest.raises(LinkError):
        list(iter(reader.reply, object()))


def test_a_long_stream_of_replies_is_not_kept() -> None:
    reader = Reader(source(encoded(bytes(100_000)) * 100, [150_000] * 100))
    for _ in range(100):
        reader.reply()
    assert len(reader._buffer) < 1_500_000


def test_commands_are_packed() -> None:
    assert packed([("SET", b"\xff", "ü"), ("WAIT", 1, 2.5)]) == (
        b"*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$2\r\n\xc3\xbc\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$3\r\n2.5\r\n"
    )
