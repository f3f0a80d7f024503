"""What is backed up can be restored elsewhere, is the same there, and is nothing where it is not whole."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, Item
from services.codestore.connection import Call
from services.codestore.integrity.backup import BackedUp, backup, copy_of, restore
from services.codestore.integrity.backup_files import DamagedBackupError
from services.codestore.integrity.verify import verify
from services.codestore.pictures import Pictures
from services.codestore.places import Place
from services.codestore.records import GenerationRef
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.stored import BetweenCalls, fill_collection, some_codes, some_items

ADDRESSES = (f"memory://backups{number}" for number in itertools.count())


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as store:
        fill_collection(store)
        yield store


@pytest.fixture
def other() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as store:
        yield store


def content_of(store: CodeStore, collection: str, generation: str) -> dict[str, Any]:
    snapshot = store.snapshot(collection, generation)
    ids = snapshot.ids.tolist()
    return {
        "ids": ids,
        "codes": snapshot.codes.tobytes(),
        "labels": [tuple(own.tolist()) for own in map(snapshot.labels.__getitem__, range(len(ids)))],
        "items": store.items(collection, ids, generation),
        "catalogue": sorted(
            (item.id, item.origin, item.updated, item.revision) for item in store.scan(collection)
        ),
        "lacking": sorted(lack.id for part in store.lacking(collection, generation) for lack in part),
        "deleted": store.state(collection).deleted,
        "labels of the collection": store.labels(collection).to_json(),
    }


def codes_of(store: CodeStore, collection: str, generation: str) -> dict[str, bytes]:
    snapshot = store.snapshot(collection, generation)
    return {item_id: code.tobytes() for item_id, code in zip(snapshot.ids, snapshot.codes, strict=True)}


@pytest.mark.parametrize("generation", ["g1", "g2"])
def test_what_comes_back_is_the_same(
    store: CodeStore, other: CodeStore, generation: str, tmp_path: Path
) -> None:
    if generation == "g1":
        store.note_origin("c", "g1", '{"run": "ü"}')
    made = backup(store, "c", tmp_path / "b", generation=generation)
    assert [files.position for files in made.manifest.segments] == list(store.state("c").positions)
    restored = restore(other, tmp_path / "b", "again", publish=generation == "g1", who="me")
    assert (restored.generation, restored.items, restored.published) == (
        generation,
        store.count("c"),
        generation == "g1",
    )
    assert content_of(other, "again", generation) == content_of(store, "c", generation)
    assert other.origin("again", generation) == store.origin("c", generation)
    assert verify(other, "again").findings == ()
    assert [state.state for state in other.generations("again")] == [
        "published" if generation == "g1" else "sealed"
    ]
    assert other.audit("again")[-1].operation == "restore"
    # And it lives on as the first one does.
    for one, name in ((store, "c"), (other, "again")):
        buried = some_items(range(0, 400, 9))
        one.begin(name, GenerationRef("g9", 16, one.taxonomy(name).sha256))
        assert set(one.fill(name, "g9", buried, some_codes(len(buried))).results) == {"deleted"}
        one.upsert(name, some_items(range(300, 500), 7), {generation: some_codes(200)})
        one.gc(name)
    assert codes_of(other, "again", generation) == codes_of(store, "c", generation)
    assert verify(other, "again").findings == ()


def test_the_published_generation_is_the_default(store: CodeStore, other: CodeStore) -> None:
    address = next(ADDRESSES)
    assert backup(store, "c", address).manifest.generations[0].id == "g1"
    other.create("d", store.taxonomy("c"))
    with pytest.raises(TaxohashError, match="'d' has nothing published: name a generation"):
        backup(other, "d", next(ADDRESSES))
    with pytest.raises(TaxohashError, match="no generation 'g7'"):
        backup(store, "c", next(ADDRESSES), generation="g7")
    with pytest.raises(TaxohashError, match=r"there is a backup in memory://.* already"):
        backup(store, "c", address)


def test_it_is_of_one_position_while_items_come_and_go(store: CodeStore, other: CodeStore) -> None:
    random = np.random.default_rng(3)
    turns = itertools.count()

    def happen(call: Call) -> None:
        if call.function == "raw" and next(turns) < 40:
            first = int(random.integers(0, 380))
            store.upsert("c", some_items(range(first, first + 30), 5), {"g1": some_codes(30)})
            store.delete("c", [item.id for item in some_items(range(first + 5, first + 9))])

    address = next(ADDRESSES)
    between = CodeStore(BetweenCalls(store._connection, happen))  # type: ignore[arg-type]
    made = backup(between, "c", address)
    restored = restore(other, address)
    assert restored.items == sum(
        other.tallies("c")[segment].items for segment in range(len(made.manifest.segments))
    )
    assert verify(other, "c").findings == ()


def test_a_collection_whose_taxonomy_has_grown_comes_back_with_all_versions(
    store: CodeStore, other: CodeStore
) -> None:
    store.grow("c", Taxonomy("t2", (("a", "c"), ("d", "e"), ("f", "g"))))
    store.upsert("c", [Item("new", (3,))], {"g1": some_codes(1)})
    address = next(ADDRESSES)
    backup(store, "c", address)
    restore(other, address, publish=True)
    assert other.labels("c").version == 2
    assert other.item("c", "new") == Item("new", (3,))


def test_a_retired_generation_takes_what_it_has_missed_when_it_is_published_again(
    store: CodeStore, other: CodeStore
) -> None:
    for name in ("g3", "g4"):
        store.begin("c", GenerationRef(name, 16, store.taxonomy("c").sha256))
        store.upsert("c", some_items(range(50), 8), {name: some_codes(50)})
        store.seal("c", name)
        for part in store.lacking("c", name):
            store.put_codes("c", name, [lack.id for lack in part], some_codes(len(part)))
        store.publish("c", name)
    assert not store.generations("c")[0].live
    store.upsert("c", [Item("late", (0,), uri="https://example.org/late")], {"g4": some_codes(1)})
    address = next(ADDRESSES)
    backup(store, "c", address, generation="g1")
    restore(other, address)
    assert other.item("c", "late", "g1") is None
    with pytest.raises(TaxohashError, match="lacks the codes"):
        other.publish("c", "g1")
    assert other.item("c", "late", "g1") is not None
    assert "late" in {lack.id for part in other.lacking("c", "g1") for lack in part}
    assert verify(other, "c").findings == ()


def test_nothing_is_restored_over_a_collection(store: CodeStore) -> None:
    address = next(ADDRESSES)
    backup(store, "c", address)
    with pytest.raises(TaxohashError, match="there is a collection 'c' already"):
        restore(store, address)
    assert restore(store, address, "c2").items == store.count("c")


def test_a_restore_that_is_cut_short_says_so_and_goes_on(store: CodeStore, other: CodeStore) -> None:
    address = next(ADDRESSES)
    backup(store, "c", address)
    for limit in range(1, 30, 4):
        turns = itertools.count()

        def happen(call: Call, limit: int = limit, turns: "itertools.count[int]" = turns) -> None:
            if (
                call.function in ("restore_raw", "settle", "raw", "begin", "seal", "made")
                and next(turns) == limit
            ):
                raise KeyboardInterrupt

        between = CodeStore(BetweenCalls(other._connection, happen))  # type: ignore[arg-type]
        try:
            restore(between, address, "r")
            break
        except KeyboardInterrupt:
            pass
        for work in (other.count, lambda name: other.create(name, store.taxonomy("c"), 3), other.published):
            with pytest.raises(
                TaxohashError, match=f"'?r.* is not restored to its end: restore it again from {address}"
            ):
                work("r")
    else:
        restore(other, address, "r")
    assert limit > 5
    assert content_of(other, "r", "g1") == content_of(store, "c", "g1")
    assert verify(other, "r").findings == ()


def damaged(address: str, name: str, how: str) -> None:
    place = Place.open(address, "backups")
    data = place.read(name, 1 << 30)
    assert data
    if how == "missing":
        place.remove(name)
    else:
        place.write(
            name, data[: len(data) // 2] + (b"" if how == "cut" else b"!") + data[len(data) // 2 + 1 :]
        )


@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
@pytest.mark.parametrize("name", ["manifest.json", "segments/0-0", "segments/2-0"])
def test_a_damaged_backup_restores_nothing_that_can_be_used(
    store: CodeStore, other: CodeStore, name: str, how: str
) -> None:
    address = next(ADDRESSES)
    backup(store, "c", address)
    damaged(address, name, how)
    with pytest.raises(TaxohashError) as error:
        restore(other, address)
    assert isinstance(error.value, DamagedBackupError) or (name, how) == ("manifest.json", "missing")
    with pytest.raises(TaxohashError):
        other.count("c")
    with pytest.raises(TaxohashError):
        copy_of(address)


def test_what_is_damaged_in_the_store_is_not_backed_up(store: CodeStore) -> None:
    opened, _ = store.described("c")
    key = opened.on(1, "").keys[0]
    store._connection.command("HSET", key, "n0", b"x\xff" * 74, key=key)
    address = next(ADDRESSES)
    with pytest.raises(TaxohashError, match="segment 1 was read with other checksums of names"):
        backup(store, "c", address)
    with pytest.raises(TaxohashError, match="there is no backup"):
        restore(store, address, "d")


def test_a_backup_is_compared_with_its_collection(store: CodeStore) -> None:
    address = next(ADDRESSES)
    backup(store, "c", address)
    report = verify(store, "c", [copy_of(address)])
    assert (report.findings, report.notes) == ((), ())
    opened, _ = store.described("c")
    key = opened.on(1, "").keys[0]
    value = bytearray(store._connection.command("HGET", key, "gg1:0", key=key))
    value[-1] ^= 1
    store._connection.command("HSET", key, "gg1:0", bytes(value), key=key)
    assert (
        verify(store, "c", [copy_of(address)])
        .findings[-1]
        .text.startswith(f"backup {address} has other bytes")
    )


def with_pictures(store: CodeStore, pictures: Pictures) -> list[str]:
    digests = pictures.put_many([b"one", b"two", b"three"])
    items = [Item("p1", (0,), picture=digests[0], thumbnail=digests[1]), Item("p2", (0,), picture=digests[2])]
    store.upsert("c", [*items, Item("p3", (0,), picture="00" * 32)], {"g1": some_codes(3)})
    return sorted(digests)


def test_pictures_and_hasher_come_along(store: CodeStore, other: CodeStore, tmp_path: Path) -> None:
    pictures, restored_to = Pictures.open(next(ADDRESSES)), Pictures.open(next(ADDRESSES))
    digests = with_pictures(store, pictures)
    hasher = tmp_path / "hasher"
    hasher.mkdir()
    (hasher / "model.onnx").write_bytes(b"weights")
    (hasher / "generation.json").write_text("{}")
    (hasher / "model.sig").write_text("signed")
    address = next(ADDRESSES)
    made = backup(store, "c", address, pictures=pictures, hasher=hasher)
    assert made.pictures == 3
    assert made.missing == ("00" * 32, "ab" * 32)  # of the other items
    told = restore(other, address, pictures=restored_to, hasher=tmp_path / "restored" / "g1")
    assert told.pictures == 3
    assert list(restored_to.digests()) == digests
    assert sorted(path.name for path in (tmp_path / "restored" / "g1").iterdir()) == [
        "generation.json",
        "model.onnx",
        "model.sig",
    ]
    damaged(address, "generations/g1/model.onnx", "changed")
    with pytest.raises(DamagedBackupError, match=r"model\.onnx of the hasher .* is damaged"):
        restore(other, address, "d", hasher=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_pictures_and_hasher_can_stay_where_they_are(
    store: CodeStore, other: CodeStore, tmp_path: Path
) -> None:
    pictures = Pictures.open(next(ADDRESSES))
    with_pictures(store, pictures)
    address = next(ADDRESSES)
    made: BackedUp = backup(store, "c", address, pictures=pictures, hasher=tmp_path, how="reference")
    assert (made.pictures, made.manifest.pictures) == (0, pictures.address)
    assert made.manifest.generations[0].folder == str(tmp_path)
    with pytest.raises(TaxohashError, match=f"has no hasher .it stayed in {tmp_path}"):
        restore(other, address, "x", hasher=tmp_path / "h")
    assert restore(other, address, "y", pictures=Pictures.open(next(ADDRESSES))).pictures == 0


def test_a_backup_that_was_cut_short_is_none_and_can_be_made_again(
    store: CodeStore, other: CodeStore
) -> None:
    address = next(ADDRESSES)

    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(store, "c", address, progress=stop)
    with pytest.raises(TaxohashError, match="there is no backup"):
        restore(other, address)
    backup(store, "c", address)
    assert restore(other, address).items == store.count("c")
