"""The image of a segment is what the segment was at one position, however it is written meanwhile."""

import numpy as np
import pytest

from services.codestore import CodeStore
from services.codestore.checksums import NO_BLOCK, sums_of
from services.codestore.connection import Call
from services.codestore.image import Page, SegmentState
from tests.support.stored import TAXONOMY, BetweenCalls, fill_collection, hash_of, some_codes, some_items

_CHECKED = (b"n", b"c", b"g", b"s", b"o", b"r", b"t", b"d")


def laid_together(pages: list[Page]) -> tuple[dict[bytes, bytes], SegmentState]:
    blocks: dict[int, dict[bytes, bytes]] = {}
    for page in pages:
        blocks |= page.by_block()
    state = pages[-1].state
    assert state is not None
    assert [page.state for page in pages[:-1]] == [None] * (len(pages) - 1)
    return {
        field: value
        for block in (NO_BLOCK, *range(state.blocks))
        for field, value in blocks.get(block, {}).items()
    }, state


def checked_fields(everything: dict[bytes, bytes]) -> dict[bytes, bytes]:
    own = (b"generations", b"open", b"stamp", b"deleted", b"sum:", b"coded:")
    return {
        field: value
        for field, value in everything.items()
        if field.startswith(_CHECKED) and not field.startswith(own)
    }


def test_it_is_all_that_carries_a_checksum_and_the_sums_say_so() -> None:
    with CodeStore.connect("memory://") as store:
        fill_collection(store)
        opened, _ = store.described("c")
        for segment in range(3):
            fields, state = laid_together(list(store.pages(opened, segment)))
            everything = hash_of(store, opened, segment)
            assert fields == checked_fields(everything)
            sums = sums_of(fields)
            assert {kind: total for kind, total in state.sums.items() if total} == sums
            assert {"names", "catalog", "deleted", "", "g1", "g2"} == sums.keys()
            assert state.fields == len(everything) == len(fields) + state.items + state.own
            assert state.position == store.tallies("c")[segment].position


@pytest.mark.parametrize("seed", range(4))
def test_it_is_of_one_position_while_items_come_change_go_and_are_packed(seed: int) -> None:
    random = np.random.default_rng(seed)
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=1, count=2500)
        opened, _ = store.described("c")
        numbers = random.permutation(2500)

        def happen(call: Call) -> None:
            first = int(random.integers(0, 2400))
            chosen = some_items(range(first, first + 40), seed)
            kind = random.integers(0, 5)
            if call.function not in ("raw", "raw_changes") or random.random() < 0.3:
                return
            if kind == 0:
                store.upsert("c", chosen, {"g2": some_codes(40)})
            elif kind == 1:
                store.delete("c", [item.id for item in some_items(range(4000)) if random.random() < 0.2])
            elif kind == 2:
                store.gc("c")
            else:
                store.upsert("c", some_items(range(5000 + int(numbers[0]), 5040 + int(numbers[0])), seed))

        between = CodeStore(BetweenCalls(store._connection, happen))  # type: ignore[arg-type]
        pages = list(between.pages(opened, 0))
        fields, state = laid_together(pages)
        assert fields == checked_fields(hash_of(store, opened, 0))  # nothing is written after the last page
        assert sums_of(fields) == {kind: total for kind, total in state.sums.items() if total}


def test_a_history_that_was_cut_meanwhile_is_read_from_the_start() -> None:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=1, count=2500)
        opened, _ = store.described("c")
        key = opened.on(0, "").keys[1]
        cut: list[bool] = []

        def happen(call: Call) -> None:
            if call.function == "raw_changes" and not cut:
                cut.append(True)
                store.upsert("c", some_items(range(9000, 9100)))
                store._connection.command("XTRIM", key, "MAXLEN", "0", key=key)

        between = CodeStore(BetweenCalls(store._connection, happen))  # type: ignore[arg-type]
        fields, _ = laid_together(list(between.pages(opened, 0)))
        assert cut
        assert fields == checked_fields(hash_of(store, opened, 0))


def test_an_index_that_leads_elsewhere_is_told() -> None:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=1)
        opened, _ = store.described("c")
        key = opened.on(0, "").keys[0]
        assert not any(page.lost for page in store.pages(opened, 0))
        names = [field for field in hash_of(store, opened, 0) if field.startswith(b"=")]
        store._connection.command("HDEL", key, names[3], key=key)
        store._connection.command("HSET", key, names[7], b"\1\0\0\0", key=key)
        lost = {item_id for page in store.pages(opened, 0) for item_id in page.lost}
        assert lost == {names[3][1:].decode(), names[7][1:].decode()}


def test_an_empty_segment_has_an_image_too() -> None:
    with CodeStore.connect("memory://") as store:
        store.create("c", TAXONOMY, 1)
        opened, _ = store.described("c")
        fields, state = laid_together(list(store.pages(opened, 0)))
        assert fields == {}
        assert (state.position, state.blocks, state.items, set(state.sums.values())) == (0, 0, 0, {0})
