"""Batches against what they say, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore import wire
from services.codestore.records import Item, ItemLabels
from services.codestore.wire import (
    batches,
    by_segment,
    ended,
    pack_items,
    unended,
    unpack_item,
    unpack_segment,
)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["ÿ", "\n", "\0", ""])))
def test_texts_round_trip(values: list[str]) -> None:
    assert unended(ended(values)) == values
    assert ended(values).count(b"\xff") == len(values)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 7))
def test_by_segment_is_a_partition_in_order(values: list[int], most: int) -> None:
    segments = np.array(values, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "PART_ITEMS", most)
        parts = [(segment, indices.tolist()) for segment, indices in by_segment(segments)]
    assert all(0 < len(indices) <= most for _, indices in parts)
    joined: dict[int, list[int]] = {}
    for segment, indices in parts:
        joined.setdefault(segment, []).extend(indices)
    assert joined == {s: [i for i, value in enumerate(values) if value == s] for s in set(values)}


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 9), st.integers(1, 60))
def test_batches_keep_the_order_and_their_bounds(sizes: list[int], most: int, most_bytes: int) -> None:
    items = [Item(str(number), (0,), bytes(size)) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "BATCH_ITEMS", most)
        patch.setattr(wire, "BATCH_BYTES", most_bytes)
        found = list(batches(items))
    assert [item for batch in found for item in batch] == items
    assert all(0 < len(batch) <= most for batch in found)
    assert all(sum(len(item.thumbnail) for item in batch[:-1]) < most_bytes for batch in found)


def test_empty_columns_are_left_out() -> None:
    labels = b"\1\0\0\0\2\1\0\0"
    assert pack_items([Item("a", (1,)), Item("b", (258,))]) == (b"a\xffb\xff", labels, *[b""] * 6)
    assert pack_items([Item("a", (0,), b"xy", "u", ("s", "t")), Item("b", (0,))])[2:] == (
        b"u\xff\xff",
        b"s\tt\xff\xff",
        b"\2\0\0\0\0\0\0\0",
        b"xy",
        b"",
        b"",
    )
    assert pack_items([Item("a", (1, 258)), Item("b", ())]) == (
        b"a\xffb\xff",
        b"\xff" * 8,
        *[b""] * 4,
        b"\x08\0\0\0\0\0\0\0",
        labels,
    )


def test_an_item_comes_back() -> None:
    item = Item("a", (258,), b"xy", "ü", ("s", "t u"))
    assert unpack_item("a", [b"\2\1\0\0", bytes(4), "ü".encode(), b"s\tt u", b"xy", b""]) == item


@given(st.lists(st.integers(0, 2**31 - 1), unique=True, max_size=4).map(tuple))
def test_labels_come_back(labels: tuple[int, ...]) -> None:
    item = Item("a", labels)
    _, column, *_, sets = pack_items([item])
    assert unpack_item("a", [column, bytes(4), b"", b"", b"", sets]) == item


@given(st.data(), st.integers(1, 5))
def test_a_segment_holds_the_rows_that_are_marked(data: st.DataObject, width: int) -> None:
    marks = data.draw(st.lists(st.booleans(), max_size=40))
    rows = len(marks)
    most = data.draw(st.sampled_from([1, 3]))  # labels an item: all one, or any number
    drawn = st.lists(st.integers(0, 999), unique=True, min_size=most == 1, max_size=most).map(tuple)
    labels = data.draw(st.lists(drawn, min_size=rows, max_size=rows))
    codes = np.random.default_rng(rows).integers(0, 256, (rows, width), np.uint8)
    bitmap = np.packbits(np.array(marks, bool)).tobytes().rstrip(b"\0")
    items = [Item(f"id {row}", own) for row, own in enumerate(labels)]
    names, column, *_, set_lengths, sets = pack_items(items)
    ids, flat, counts, found = unpack_segment(
        width, rows, bitmap, names, column, codes.tobytes(), set_lengths, sets
    )
    kept = [row for row in range(rows) if marks[row]]
    assert ids == [items[row].id for row in kept]
    listed = ItemLabels.of(flat, counts)
    assert len(listed) == len(kept)
    assert [tuple(listed[item].tolist()) for item in range(len(kept))] == [labels[row] for row in kept]
    assert listed.owners.tolist() == [item for item, row in enumerate(kept) for _ in labels[row]]
    assert found.tolist() == [codes[row].tolist() for row in kept]
