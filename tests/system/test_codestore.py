"""The code store on real servers: Valkey, Redis 8 and a cluster."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import redis

from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item, StoreUnavailableError
from services.codestore.collection import LAYOUT
from services.codestore.connection import Call
from services.codestore.embedded import find_server
from services.codestore.keys import collection_key, segment_key
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.hostile_ids import HOSTILE_IDS

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
NAMES = (f"c{number}" for number in itertools.count())


def ref(generation_id: str, bits: int = 12) -> GenerationRef:
    return GenerationRef(generation_id, bits, TAXONOMY.sha256)


def random_codes(count: int, bits: int = 12, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.packbits(np.random.default_rng(seed).integers(0, 2, (count, bits), np.uint8), axis=1)


@pytest.fixture(scope="module", params=["redis_url", "redis8_url", "cluster_url"])
def store(request: pytest.FixtureRequest) -> Iterator[CodeStore]:
    with CodeStore.connect(request.getfixturevalue(request.param)) as connected:
        yield connected


@pytest.fixture
def name(store: CodeStore) -> str:
    """A fresh collection of three segments."""
    fresh = next(NAMES)
    store.create(fresh, TAXONOMY, segments=3)
    return fresh


def filled(store: CodeStore, name: str, count: int = 40) -> list[str]:
    ids = [f"item {number}" for number in range(count)]
    store.put_items(name, (Item(item_id, (number % 3,)) for number, item_id in enumerate(ids)))
    return ids


def published(store: CodeStore, name: str, generation_id: str, ids: list[str], seed: int = 0) -> str | None:
    store.begin(name, ref(generation_id))
    store.put_codes(name, generation_id, ids, random_codes(len(ids), seed=seed))
    return store.publish(name, generation_id)


# -- collections and catalog -----------------------------------------------------------------------


def test_create_is_idempotent_and_refuses_another_taxonomy_or_size(store: CodeStore, name: str) -> None:
    store.create(name, TAXONOMY, segments=3)
    assert store.taxonomy(name) == TAXONOMY
    other = Taxonomy("other", (("a", "b"),))
    with pytest.raises(TaxohashError, match=f"{TAXONOMY.sha256}.*{other.sha256}"):
        store.create(name, other, segments=3)
    with pytest.raises(TaxohashError, match="segments 3, not 4"):
        store.create(name, TAXONOMY, segments=4)
    with pytest.raises(TaxohashError, match="there is no collection 'nowhere'"):
        store.taxonomy("nowhere")


def test_items_come_back_as_they_were_put(store: CodeStore, name: str) -> None:
    items = [
        Item(
            "a/ü 1.png",
            (2,),
            thumbnail=bytes(range(256)),
            uri="s3://bucket/ü?x=1",
            tags=("new", "winter coat"),
        ),
        Item("plain", (0,)),
        Item("two things", (2, 0)),
        Item("nothing", (), uri="s3://bucket/2"),
    ]
    assert store.put_items(name, items) == 4
    assert [store.item(name, item.id) for item in items] == items
    assert store.thumbnail(name, "a/ü 1.png") == bytes(range(256))
    assert store.thumbnail(name, "plain") is None
    assert store.item(name, "absent") is None
    assert store.thumbnail(name, "absent") is None


def test_an_id_may_be_any_text(store: CodeStore, name: str) -> None:
    items = [
        Item(item_id, (number % 3,), b"x" * number, f"file:///{number}")
        for number, item_id in enumerate(HOSTILE_IDS)
    ]
    assert store.put_items(name, items) == len(items)
    assert store.put_items(name, items) == 0
    assert [store.item(name, item_id) for item_id in HOSTILE_IDS] == items
    assert [store.thumbnail(name, item.id) or b"" for item in items] == [item.thumbnail for item in items]
    store.begin(name, ref("g"))
    codes = random_codes(len(items))
    store.put_codes(name, "g", HOSTILE_IDS, codes)
    snapshot = store.snapshot(name, "g")
    assert sorted(snapshot.ids) == sorted(HOSTILE_IDS)
    numbers = [HOSTILE_IDS.index(item_id) for item_id in snapshot.ids]
    assert np.array_equal(snapshot.codes, codes[numbers])


@pytest.mark.parametrize("item_id", HOSTILE_IDS)
def test_an_id_that_is_not_there_is_one_line(store: CodeStore, name: str, item_id: str) -> None:
    store.put_items(name, [Item("other", (0,))])
    store.begin(name, ref("g"))
    for ids in ([item_id], [item_id, *(f"more {number}" for number in range(9))]):
        with pytest.raises(TaxohashError, match="not in the catalog, one is") as refused:
            store.put_codes(name, "g", ids, random_codes(len(ids)))
        assert str(refused.value).isprintable()


def test_a_collection_of_another_layout_is_refused_in_one_line(store: CodeStore, name: str) -> None:
    key = collection_key(name) + ":collection"
    store._connection.command("HSET", key, "layout", LAYOUT - 1, key=key)
    with CodeStore.connect(store._connection.url) as other:
        for use in (lambda: other.count(name), lambda: other.create(name, TAXONOMY, segments=3)):
            with pytest.raises(TaxohashError, match=f"layout {LAYOUT - 1}.* {LAYOUT}.*use") as refused:
                use()
            assert str(refused.value).isprintable()


def test_an_item_put_again_is_replaced_whole(store: CodeStore, name: str) -> None:
    store.put_items(name, [Item("a", (0, 1), b"picture", "uri", ("tag",)), Item("b", (1,), b"other")])
    assert store.put_items(name, [Item("a", (1,)), Item("a", (2,), uri="last")]) == 0
    assert store.item(name, "a") == Item("a", (2,), uri="last")
    assert store.item(name, "b") == Item("b", (1,), b"other")
    assert store.count(name) == 2
    assert store.put_items(name, [Item("a", ()), Item("b", (2, 1))]) == 0
    assert [store.item(name, item_id) for item_id in "ab"] == [Item("a", ()), Item("b", (2, 1))]


def test_an_item_tells_when_it_was_changed(store: CodeStore, name: str) -> None:
    before = int(time.time())
    store.put_items(name, [Item("a", (0,), updated=1)])
    item = store.item(name, "a")
    assert item is not None
    assert before - 1 <= item.updated <= time.time() + 1


def test_a_refused_item_is_not_written(store: CodeStore, name: str) -> None:
    with pytest.raises(TaxohashError, match="'bad' has label 3: the taxonomy has labels 0 to 2"):
        store.put_items(name, [Item("good", (0,)), Item("bad", (0, 3))])
    assert store.count(name) == 0


# -- codes -----------------------------------------------------------------------------------------


def test_a_snapshot_holds_what_was_written_over_chunks_and_in_any_order(store: CodeStore) -> None:
    name, rng = next(NAMES), np.random.default_rng(1)
    store.create(name, TAXONOMY, segments=2)
    ids = filled(store, name, 10_000)  # more than a chunk of 4,080 rows in each segment
    codes = random_codes(len(ids))
    store.begin(name, ref("g"))
    shuffled = rng.permutation(len(ids))
    first = store.put_codes(name, "g", [ids[i] for i in shuffled[:7_000]], codes[shuffled[:7_000]])
    assert store.count(name, "g") == 7_000
    codes[shuffled[6_000:7_000]] = random_codes(1_000, seed=2)
    last = store.put_codes(name, "g", [ids[i] for i in shuffled[6_000:]], codes[shuffled[6_000:]])
    snapshot = store.snapshot(name, "g")
    order = np.array([int(item_id.split()[1]) for item_id in snapshot.ids])
    assert sorted(order) == list(range(len(ids)))
    assert np.array_equal(snapshot.codes, codes[order])
    assert np.array_equal(snapshot.labels.flat, order % 3)
    assert snapshot.labels.flat.dtype == np.int32
    assert len(snapshot.labels) == len(ids)
    assert all(a < b == c for a, b, c in zip(first, last, snapshot.position, strict=True))
    assert list(store.snapshot(name, "g").ids) == list(snapshot.ids)


def test_a_snapshot_holds_one_label_several_and_none(store: CodeStore) -> None:
    name = next(NAMES)
    store.create(name, TAXONOMY, segments=2)
    labels = [tuple(np.random.default_rng(i).permutation(3)[: i % 4].tolist()) for i in range(9_000)]
    ids = [f"item {number}" for number in range(len(labels))]
    store.put_items(name, [Item(item_id, own) for item_id, own in zip(ids, labels, strict=True)])
    store.put_items(name, [Item(item_id, (1,)) for item_id in ids[:50]])  # sets that are no more
    store.begin(name, ref("g"))
    store.put_codes(name, "g", ids[::-2], random_codes(len(ids) // 2))
    snapshot = store.snapshot(name, "g")
    assert sorted(snapshot.ids) == sorted(ids[::-2])
    numbers = [int(item_id.split()[1]) for item_id in snapshot.ids]
    assert [tuple(snapshot.labels[row].tolist()) for row in range(len(numbers))] == [
        (1,) if number < 50 else labels[number] for number in numbers
    ]


def test_codes_of_unknown_items_are_refused_and_nothing_is_written(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    store.begin(name, ref("g"))
    with pytest.raises(TaxohashError, match=r"2 of the ids are not in the catalog.*put the items first"):
        store.put_codes(name, "g", [*ids, "x", "y"], random_codes(len(ids) + 2))
    with pytest.raises(
        TaxohashError, match="1 of the ids are not in the catalog, one is 'x': put the items first"
    ):
        store.put_codes(name, "g", ["x"], random_codes(1))
    assert store.count(name, "g") == 0


def test_only_what_belongs_to_a_generation_is_taken(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    store.begin(name, ref("g"))
    store.begin(name, ref("g"))
    with pytest.raises(TaxohashError, match="g has 12 bits, not 16"):
        store.begin(name, ref("g", 16))
    with pytest.raises(TaxohashError, match=f"taxonomy {'0' * 64}.*taxonomy {TAXONOMY.sha256}"):
        store.begin(name, GenerationRef("h", 12, "0" * 64))
    with pytest.raises(TaxohashError, match=r"no generation 'h' .it has: g.: begin it first"):
        store.put_codes(name, "h", ids, random_codes(len(ids)))
    with pytest.raises(
        TaxohashError, match=r"codes of 40 ids are uint8\[40, 3\]: 12 bits need uint8\[40, 2\]"
    ):
        store.put_codes(name, "g", ids, random_codes(len(ids), 24))
    with pytest.raises(TaxohashError, match="padding"):
        store.put_codes(name, "g", ids[:1], np.array([[0, 1]], np.uint8))
    assert store.count(name, "g") == 0


def test_the_server_itself_refuses_codes_of_another_width(store: CodeStore, name: str) -> None:
    filled(store, name)
    store.begin(name, ref("g"))
    call = Call("put_codes", (segment_key(name, 0),), ("g", 16, b"", b""))
    with pytest.raises(TaxohashError, match="g has 12 bits, these codes are of 16 bits"):
        store._connection.call(call)


# -- publishing ------------------------------------------------------------------------------------


def test_publish_is_refused_until_every_item_has_a_code(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    store.begin(name, ref("g"))
    store.put_codes(name, "g", ids[:-3], random_codes(len(ids) - 3))
    with pytest.raises(TaxohashError, match="'g' lacks the codes of 3 of the 40 items"):
        store.publish(name, "g")
    assert store.published(name) is None
    with pytest.raises(TaxohashError, match="no published generation"):
        store.snapshot(name)
    store.put_codes(name, "g", ids[-3:], random_codes(3))
    assert store.publish(name, "g") is None
    assert store.published(name) == ref("g")
    assert store.snapshot(name).generation == ref("g")


def test_publish_and_rollback_walk_the_history(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    assert [published(store, name, g, ids) for g in ("a", "b", "c")] == [None, "a", "b"]
    assert store.publish(name, "c") == "b"  # again: nothing changes
    assert store.history(name) == ["c", "b", "a"]
    assert store.rollback(name) == "b"
    assert store.publish(name, "a") == "b"
    assert store.history(name) == ["a", "b"]
    assert [(g.ref.id, g.state, g.codes) for g in store.generations(name)] == [
        ("a", "published", 40),
        ("b", "retired", 40),
        ("c", "staged", 40),
    ]
    assert store.rollback(name) == "b"
    with pytest.raises(TaxohashError, match="only 'b' published: there is none to roll back to"):
        store.rollback(name)


def test_a_rollback_sent_twice_goes_back_once(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    for generation_id in ("a", "b", "c"):
        published(store, name, generation_id, ids)
    for _ in range(2):
        store._connection.call(Call("rollback", (collection_key(name),), ("c", "b")))
    assert store.history(name) == ["b", "a"]
    with pytest.raises(TaxohashError, match="b was published meanwhile, not c"):
        store._connection.call(Call("rollback", (collection_key(name),), ("c", "a")))


def test_discard_deletes_all_but_the_published_generation(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    for generation_id in ("a", "b", "c"):
        published(store, name, generation_id, ids)
    with pytest.raises(TaxohashError, match="c is published"):
        store.discard(name, "c")
    store.discard(name, "b")
    assert store.history(name) == ["c", "a"]
    with pytest.raises(TaxohashError, match="no generation 'b'"):
        store.snapshot(name, "b")
    with pytest.raises(TaxohashError, match="no generation b"):
        store.discard(name, "b")
    assert not [key for key in _keys(store, name) if key.endswith(":coded:b") or ":codes:b:" in key]
    store.begin(name, ref("b", 16))  # the id is free again, with other bits
    assert store.count(name, "b") == 0


def test_an_interrupted_discard_is_finished_by_the_next(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    store.begin(name, ref("a"))
    store.put_codes(name, "a", ids, random_codes(len(ids)))
    store._connection.call(Call("discard", (collection_key(name),), ("a",)))  # and then it was killed
    with pytest.raises(TaxohashError, match="being discarded"):
        store.begin(name, ref("a"))
    with pytest.raises(TaxohashError, match="no generation 'a'"):
        store.publish(name, "a")
    store.discard(name, "a")
    store.begin(name, ref("a"))
    assert store.count(name, "a") == 0


def _keys(store: CodeStore, name: str) -> list[str]:
    replies = store._connection.on_primaries("KEYS", "taxohash:*")
    keys = [key.decode() for _, reply in replies for key in reply]
    return [key for key in keys if f"{{{name}}}" in key or f"{{{name}:" in key]


def test_the_keys_of_a_segment_share_a_slot(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    published(store, name, "g", ids)
    tags = {key[key.index("{") : key.index("}") + 1] for key in _keys(store, name)}
    assert tags == {f"{{{name}}}", *(f"{{{name}:{segment}}}" for segment in range(3))}


# -- many at once ----------------------------------------------------------------------------------


def test_concurrent_writers_keep_the_columns_together(store: CodeStore, name: str) -> None:
    ids = [f"shared {number}" for number in range(300)]
    store.begin(name, ref("g"))

    def write(writer: int) -> None:
        rng = np.random.default_rng(writer)
        for _ in range(5):
            mine = rng.permutation(300)[:200]
            store.put_items(name, [Item(ids[i], (int(i) % 3,), tags=(str(i),)) for i in mine])
            codes = np.stack([mine % 256, np.full(200, writer << 4)], axis=1).astype(np.uint8)
            store.put_codes(name, "g", [ids[i] for i in mine], codes)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    snapshot = store.snapshot(name, "g")
    number = np.array([int(item_id.split()[1]) for item_id in snapshot.ids])
    assert len(set(number)) == len(number) == store.count(name) == store.count(name, "g")
    assert np.array_equal(snapshot.codes[:, 0], number % 256)
    assert np.array_equal(snapshot.labels.flat, number % 3)
    assert all(
        store.item(name, ids[i]) == Item(ids[i], (i % 3,), tags=(str(i),)) for i in number[:20].tolist()
    )


def test_a_reader_never_sees_half_a_write_and_sees_its_own(store: CodeStore) -> None:
    name = next(NAMES)
    store.create(name, TAXONOMY, segments=1)
    ids = filled(store, name, 500)
    store.begin(name, ref("g", 8))
    store.put_codes(name, "g", ids, np.zeros((500, 1), np.uint8))

    def write() -> None:
        for value in range(1, 40):
            position = store.put_codes(name, "g", ids, np.full((500, 1), value, np.uint8))
            own = store.snapshot(name, "g")
            assert own.position >= position
            assert (own.codes == value).all()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = []
        while not writing.done():
            snapshot = store.snapshot(name, "g")
            assert len(set(snapshot.codes.ravel().tolist())) == 1
            seen.append((snapshot.position[0], int(snapshot.codes[0, 0])))
        writing.result()
    assert seen == sorted(seen)


def test_concurrent_publishers_leave_each_generation_once(store: CodeStore, name: str) -> None:
    ids = filled(store, name)
    generation_ids = [f"g{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda generation_id: published(store, name, generation_id, ids), generation_ids))
    assert sorted(store.history(name)) == generation_ids


# -- stream ----------------------------------------------------------------------------------------


def test_the_stream_names_every_write_by_position(redis_url: str) -> None:
    name = next(NAMES)
    with CodeStore.connect(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        store.create(name, TAXONOMY, segments=1)
        ids = filled(store, name, 200)
        store.begin(name, ref("g"))
        store.put_codes(name, "g", ids[10:20], random_codes(10))
        position = store.put_codes(name, "g", ids[::2], random_codes(100))
        entries = client.xrange(segment_key(name, 0) + ":stream")
    assert [entry_id for entry_id, _ in entries] == [b"1-0", b"2-0", b"3-0"]
    assert position == (3,)
    runs = [np.frombuffer(fields[b"rows"], "<u4").tolist() for _, fields in entries]
    assert runs == [[0, 200], [10, 10], []]  # 100 runs are too many to name
    assert [fields[b"operation"] for _, fields in entries] == [b"items", b"codes", b"codes"]


def test_the_stream_is_bounded(redis_url: str) -> None:
    name = next(NAMES)
    with CodeStore.connect(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        store.create(name, TAXONOMY, segments=1)
        calls = [Call("put_items", (segment_key(name, 0),), (b"a\xff", bytes(4), *[b""] * 6))] * 6_000
        positions = [position for position, _ in store._connection.call_all(calls)]
        entries = client.xlen(segment_key(name, 0) + ":stream")
    assert positions == list(range(1, 6_001))
    assert 4_096 <= entries <= 4_096 + 200


# -- when the server does not do its part ------------------------------------------------------------


def test_functions_come_back_when_the_server_lost_them(redis_url: str) -> None:
    with CodeStore.connect(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        name = next(NAMES)
        store.create(name, TAXONOMY)
        client.function_flush()
        assert store.put_items(name, [Item("a", (0,))]) == 1


def test_an_unreachable_server_is_one_line() -> None:
    with pytest.raises(StoreUnavailableError, match="start it, or correct the address") as caught:
        CodeStore.connect("redis://user:secret@127.0.0.1:1/0", timeout=1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_passwords_and_full_memory_are_explained(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = {"requirepass": "secret", "maxmemory": "6mb"}
    with EmbeddedServer(tmp_path_factory.mktemp("guarded"), options=options) as server:
        with pytest.raises(StoreUnavailableError, match="give the right user and password"):
            CodeStore.connect(server.url)
        wrong = server.url.replace("unix://", "unix://:wrong@")
        with pytest.raises(StoreUnavailableError, match="give the right user and password") as caught:
            CodeStore.connect(wrong)
        assert "wrong@" not in str(caught.value)
        with CodeStore.connect(server.url.replace("unix://", "unix://:secret@")) as store:
            store.create("c", TAXONOMY)
            items = [Item(str(number), (0,), thumbnail=bytes(100_000)) for number in range(100)]
            with pytest.raises(StoreUnavailableError, match="raise maxmemory"):
                store.put_items("c", items)


def test_a_full_disk_is_explained_and_what_was_acknowledged_before_it_is_kept(tmp_path: Path) -> None:
    limited = tmp_path / "limited"  # a server whose files cannot grow beyond 512 KiB
    limited.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 1024\nexec '{find_server()}' \"$@\"\n")
    limited.chmod(0o700)
    written: list[str] = []

    def fill(store: CodeStore) -> None:
        for number in range(1_000):
            store.put_items("c", [Item(str(number), (0,), thumbnail=bytes(10_000))])
            written.append(str(number))

    with EmbeddedServer(tmp_path / "data", binary=limited) as server, CodeStore.connect(server.url) as store:
        store.create("c", TAXONOMY)
        with pytest.raises(StoreUnavailableError, match="free the disk that holds its data"):
            fill(store)
    assert 10 < len(written) < 200
    with EmbeddedServer(tmp_path / "data") as server, CodeStore.connect(server.url) as store:
        # The write that met the limit was acknowledged before it reached the disk: that is `everysec`.
        assert len(written) - 1 <= store.count("c") <= len(written)
