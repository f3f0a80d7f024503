"""Batches and replies against what they say, by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore import wire
from services.codestore.records import Item, fingerprint
from services.codestore.wire import (
    by_segment,
    ended,
    is_member,
    pack_items,
    pieces,
    results,
    unended,
    unpack_changes,
    unpack_columns,
    unpack_item,
    unpack_lacking,
    unpieces,
)

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["ÿ", "\n", "\0", ""])
digests = st.sampled_from(["", "0123456789abcdef" * 4])
scalars = (
    st.text(st.characters(codec="utf-8"), max_size=5) | st.integers(-(2**63) + 1, 2**63 - 1) | st.booleans()
)
items = st.builds(
    Item,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
    labels=st.lists(st.integers(0, 2**31 - 1), unique=True, max_size=4).map(tuple),
    uri=st.sampled_from(["", "file:///ü"]),
    picture=digests,
    thumbnail=digests,
    pixels=st.sampled_from(["", "0123456789abcdef"]),
    metadata=st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=3),
        scalars | st.floats(allow_nan=False, allow_infinity=False),
        max_size=3,
    ),
    tags=st.lists(st.sampled_from(["new", "old stock", "ü"]), unique=True).map(tuple),
)


def values_of(lengths: bytes, data: bytes, count: int) -> list[bytes]:
    return unpieces(lengths, data, count)


@given(st.lists(texts))
def test_texts_round_trip(values: list[str]) -> None:
    assert unended(ended(values)) == values
    assert ended(values).count(b"\xff") == len(values)


@given(st.lists(st.binary(max_size=6)))
def test_pieces_round_trip(values: list[bytes]) -> None:
    lengths, data = pieces(values)
    assert unpieces(lengths, data, len(values)) == values
    assert bool(lengths) == any(values)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 7))
def test_by_segment_is_rounds_with_each_segment_once_and_all_in_order(values: list[int], most: int) -> None:
    segments = np.array(values, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "PART_ITEMS", most)
        rounds = [{s: i.tolist() for s, i in parts.items()} for parts in by_segment(segments)]
    assert all(0 < len(indices) <= most for parts in rounds for indices in parts.values())
    for segment in set(values):
        joined = [i for parts in rounds for i in parts.get(segment, [])]
        assert joined == [i for i, value in enumerate(values) if value == segment]
        assert segment in rounds[0]
    assert len(rounds) == -(-max(map(values.count, values), default=0) // most)


def test_empty_columns_are_left_out() -> None:
    labels = b"\1\0\0\0\2\1\0\0"
    plain = pack_items([Item("a", (1,)), Item("b", (258,))])
    assert plain == (b"a\xffb\xff", labels, b"", b"", b"", b"", b"", b"", b"\0\0")
    several = pack_items([Item("a", (1, 258)), Item("b", ())])
    assert several[1:4] == (b"\xff" * 8, b"\x08\0\0\0\0\0\0\0", labels)
    rich = pack_items([Item("a", (0,), "u", "p", "t", {"b": 1, "a": "ü"}, ("s", "t")), Item("b", (0,))])
    record = b"u\xffp\xfft\xff" + '{"a": "ü", "b": 1}'.encode() + b"\xff"
    assert rich[4:6] == (bytes([len(record), 0, 0, 0, 0, 0, 0, 0]), record)
    assert rich[6:] == (b"\3\0\0\0\0\0\0\0", b"s\tt", b"\1\0")


def test_a_record_tells_pixels_before_its_values_and_one_of_before_tells_none() -> None:
    reply = [3, bytes(4), bytes(4), b'u\xffp\xfft\xff{"a": "{"}\xff', b"", 1, bytes(4), b""]
    before = unpack_item("a", reply)
    assert before == Item("a", (0,), "u", "p", "t", {"a": "{"})
    assert pack_items([before])[5] == reply[3]
    assert (
        pack_items([replace(before, pixels="f" * 16)])[5]
        == b"u\xffp\xfft\xff" + b"f" * 16 + b'{"a": "{"}\xff'
    )
    assert pack_items([Item("a", pixels="f" * 16)])[5] == b"\xff\xff\xff" + b"f" * 16 + b"\xff"


@given(st.lists(items, min_size=1, max_size=5))
def test_items_come_back(batch: list[Item]) -> None:
    ids, labels, set_lengths, sets, record_lengths, records, tag_lengths, tags, encodable = pack_items(batch)
    count = len(batch)
    assert unended(ids) == [item.id for item in batch]
    assert list(encodable) == [bool(item.uri or item.picture) for item in batch]
    parts = zip(
        batch,
        values_of(set_lengths, sets, count),
        values_of(record_lengths, records, count),
        values_of(tag_lengths, tags, count),
        strict=True,
    )
    for i, (item, own, record, marked) in enumerate(parts):
        reply = [3, b"\1\0\0\0", b"\7\0\0\0", record, marked, 1, labels[i * 4 : i * 4 + 4], own]
        found = unpack_item(item.id, reply)
        assert found == item
        assert (found.origin, found.updated, found.revision) == ("api", 1, 7)
        assert [type(value) for _, value in sorted(found.metadata.items())] == [
            type(value) for _, value in sorted(item.metadata.items())
        ]
        assert unpack_item(item.id, [1, *reply[1:]]).origin == "data"
        assert is_member(reply)
        assert not is_member([*reply[:5], 2, *reply[6:]])


def reply_of(rows: list[tuple[Item, bool, bool, bytes] | None], width: int, total: int) -> list[Any]:
    """Columns as the server gives them: of each row an item, whether it is a member, coded, and its code."""
    batch = [row[0] if row else Item("", (0,)) for row in rows]
    members = [bool(row and row[1]) for row in rows]
    _, labels, *_ = pack_items([replace(item, id=item.id or "x") for item in batch])
    sets = [
        np.array(item.labels, "<i4").tobytes() if member and len(item.labels) > 1 else b""
        for item, member in zip(batch, members, strict=True)
    ]
    return [
        9, b"123", total, width,
        bytes([3 if row else 0 for row in rows]),
        bytes([(row[1] + 2 * row[2] + 4 * (len(row[0].labels) > 1)) * row[1] if row else 0 for row in rows]),
        ended([item.id for item in batch]),
        labels,
        *pieces(sets),
        b"".join(row[3] if row else bytes(width) for row in rows),
        *pieces(["\t".join(item.tags).encode() for item in batch]),
        bytes(fingerprint(item.pixels) for item in batch),
    ]  # fmt: skip


@given(st.data(), st.integers(1, 5))
def test_columns_hold_what_the_rows_say(data: st.DataObject, width: int) -> None:
    row = st.tuples(items, st.booleans(), st.booleans(), st.binary(min_size=width, max_size=width))
    rows = data.draw(st.lists(st.none() | row, max_size=12))
    columns = unpack_columns(2, None, 126, reply_of(rows, width, 630))
    assert (columns.segment, columns.position, columns.stamp, columns.total) == (2, 9, 123, 630)
    assert columns.rows.tolist() == list(range(126, 126 + len(rows)))
    assert columns.codes.shape == (len(rows), width)
    for i, (name, own) in enumerate(zip(unended(columns.ids), rows, strict=True)):
        assert columns.alive[i] == (own is not None)
        item, member, coded, code = own or (Item("", ()), False, False, bytes(width))
        assert name == item.id
        assert (columns.member[i], columns.coded[i]) == (member, member and coded)
        assert columns.codes[i].tobytes() == code
        assert tuple(columns.labels[i].tolist()) == (item.labels if member else ())
        assert columns.tags.get(i, ()) == item.tags
        assert columns.fingerprints[i] == fingerprint(item.pixels)


def test_changes_hold_the_rows_that_they_name() -> None:
    reply = [*reply_of([(Item("a", (1,)), True, True, b"\7")], 1, 63), 8, 2_500_000, b"\5\0\0\0"]
    changes = unpack_changes(0, reply)
    assert (changes.until, changes.age, changes.columns.rows.tolist()) == (8, 2.5, [5])
    nothing = unpack_changes(0, [*reply_of([], 3, 63), 9, 0, b""])
    assert (nothing.until, nothing.columns.codes.shape) == (9, (0, 3))


def test_what_lacks_comes_with_its_picture() -> None:
    record = ended(["u", "p", "", ""])
    reply = [-1, ended(["a", "b"]), b"\1\0\0\0\2\0\0\0", *pieces([record, b""]), 3]
    found = unpack_lacking(reply)
    assert [(item.id, item.revision, item.uri, item.picture) for item in found] == [
        ("a", 1, "u", "p"),
        ("b", 2, "", ""),
    ]


def test_letters_are_words() -> None:
    assert results(b"nrkdacmx") == (
        *("added", "replaced", "kept", "deleted"),
        *("absent", "coded", "no member", "changed"),
    )
