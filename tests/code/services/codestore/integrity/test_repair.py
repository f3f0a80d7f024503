"""What is damaged is mended from the side that has the bytes of the stored checksum; without one, nothing is touched."""

import itertools
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from services.codestore import CodeStore
from services.codestore.checksums import generation_fields, names_fields
from services.codestore.integrity.backup import backup
from services.codestore.integrity.repair import Plan, Side, apply, backup_side, plan
from services.codestore.integrity.verify import verify
from taxohash.errors import TaxohashError
from tests.support.stored import fill_collection, hash_of, set_field, some_codes, some_items

ADDRESSES = (f"memory://repairs{number}" for number in itertools.count())


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=2, count=150)
        store.upsert("c", some_items(range(800, 900)), {"g1": some_codes(100)})  # so that no row is free
        yield store


@pytest.fixture
def sides(store: CodeStore) -> list[Side]:
    """Backups of both generations."""
    found = []
    for generation in ("g1", "g2"):
        address = next(ADDRESSES)
        backup(store, "c", address, generation=generation)
        found.append(backup_side(address))
    return found


def everything(store: CodeStore, segment: int = 0) -> dict[bytes, bytes]:
    """Without what a repair moves on, position and stamp, and counts of nothing."""
    fields = hash_of(store, store.described("c")[0], segment)
    return {
        field: value
        for field, value in fields.items()
        if field not in (b"position", b"stamp") and value != b"0"
    }


def key_of(store: CodeStore, segment: int = 0) -> str:
    return store.described("c")[0].on(segment, "").keys[0]


def test_nothing_is_planned_for_what_is_whole(store: CodeStore) -> None:
    assert plan(store, "c") == Plan("c", store.described("c")[0].incarnation, (), ())


@pytest.mark.parametrize("kind", ["n", "c", "r", "t", "d", "gg1:", "gg2:", "g:", "sg1:", "og2:", "="])
@pytest.mark.parametrize("how", ["flipped", "removed", "renamed"])
def test_damage_is_mended_to_the_byte(store: CodeStore, sides: list[Side], kind: str, how: str) -> None:
    random = np.random.default_rng(zlib.crc32(f"{kind} {how}".encode()))
    whole = everything(store)
    own = (b"generations", b"stamp", b"sum:", b"coded:", b"deleted")
    names = [name for name in whole if name.startswith(kind.encode()) and not name.startswith(own)]
    chosen = random.permutation(np.array(names, object))[: 3 if how != "renamed" else 1]
    for name in chosen:
        value = bytearray(whole[name])
        value[random.integers(len(value))] ^= 1 << int(random.integers(8))
        set_field(store, key_of(store), name, bytes(value) if how == "flipped" else None)
        if how == "renamed":
            set_field(store, key_of(store), name[:-1] + b"\x7f", whole[name])
    assert verify(store, "c").findings
    damaged = everything(store)
    planned = plan(store, "c", sides)
    assert everything(store) == damaged
    assert planned.hopeless == ()
    assert [mend.segment for mend in planned.mends] == [0]
    assert apply(store, planned) == ()
    assert everything(store) == whole
    assert all("segment 0: " in line for line in planned.lines())
    assert store.upsert("c", some_items(range(900, 930)), {"g1": some_codes(30)}).count("added") == 30
    assert verify(store, "c").findings == ()


def test_counts_and_index_need_no_other_side(store: CodeStore) -> None:
    whole = everything(store)
    for name in (
        b"open",
        b"alive",
        b"members:g1",
        b"generations",
        next(field for field in whole if field[:1] == b"="),
    ):
        for damaged in (None, whole[name][:-1] + b"\x33"):
            set_field(store, key_of(store), name, damaged)
            planned = plan(store, "c")
            assert planned.hopeless == ()
            assert apply(store, planned) == (), (name, damaged)
            assert everything(store) == whole


def test_a_single_field_is_mended_after_the_segment_has_moved_on(store: CodeStore, sides: list[Side]) -> None:
    store.upsert("c", some_items(range(900, 1000)), {"g1": some_codes(100)})
    whole = everything(store)
    set_field(store, key_of(store), b"gg1:0", whole[b"gg1:0"][:-1] + bytes([whole[b"gg1:0"][-1] ^ 4]))
    planned = plan(store, "c", sides)
    assert "segment 0: g1: 1 fields from backup memory://" in planned.lines()[0]
    assert apply(store, planned) == ()
    assert everything(store) == whole


def test_where_no_side_has_the_bytes_nothing_is_changed(store: CodeStore, sides: list[Side]) -> None:
    whole = everything(store)
    store.upsert("c", some_items(range(400), 9))
    for name in (b"gg1:0", b"n0", b"="):
        field = next(field for field in whole if field.startswith(name))
        set_field(store, key_of(store), field, whole[field][:-1] + b"\x01")
    before = everything(store)
    planned = plan(store, "c", sides)
    assert [mend.segment for mend in planned.mends] == []
    assert "segment 0, g1: no side has the bytes of its checksum" in planned.hopeless
    assert apply(store, planned) != ()
    assert everything(store) == before
    assert plan(store, "c").hopeless


def test_a_damaged_checksum_and_a_lost_segment_are_told(store: CodeStore, sides: list[Side]) -> None:
    set_field(store, key_of(store), b"sum:g1", b"12x")
    store._connection.command("UNLINK", key_of(store, 1))
    assert plan(store, "c", sides).hopeless == (
        "segment 0, g1: its checksum itself is damaged",
        "segment 1, its data are not there: restore the collection under another name",
    )


def test_a_serving_process_mends_its_generation(store: CodeStore) -> None:
    opened, _ = store.described("c")

    def fields(segment: int, store: CodeStore = store) -> dict[bytes, bytes]:
        columns = pages[segment]
        ids = [item_id + b"\xff" for item_id in columns.ids.split(b"\xff")[:-1]]
        names = names_fields(b"".join(ids[first : first + 74]) for first in range(0, len(ids), 74))
        own = generation_fields("g1", columns.member, columns.coded, columns.labels, columns.codes)
        return {**dict(names), **dict(own)}

    pages = [store.page("c", "g1", segment, 0, incarnation=opened.incarnation) for segment in range(2)]
    whole = everything(store)
    for name in (b"gg1:0", b"gg1:1", b"n0", b"n1"):
        set_field(store, key_of(store), name, whole[name][:80] + b"\x01" + whole[name][81:])
    planned = plan(store, "c", [Side("pod 1", fields, is_whole=False)])
    assert planned.lines()[0] == "segment 0: g1: 2 fields from pod 1"
    assert apply(store, planned) == ()
    assert everything(store) == whole


def test_a_segment_that_was_written_since_is_not_touched(store: CodeStore, sides: list[Side]) -> None:
    whole = everything(store)
    set_field(store, key_of(store), b"gg1:0", whole[b"gg1:0"][:-1] + bytes([whole[b"gg1:0"][-1] ^ 4]))
    planned = plan(store, "c", sides)
    store.upsert("c", some_items(range(900, 1000)))
    before = everything(store)
    with pytest.raises(TaxohashError, match="was written meanwhile: look at it again"):
        apply(store, planned)
    assert everything(store) == before
    assert apply(store, plan(store, "c", sides)) == ()
