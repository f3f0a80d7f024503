"""Writes that are sent again, tokens, what followers read, and many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.codestore import APPLIED, CodeStore, Item, Token, WriteId, Written, replicated
from services.codestore.connection import Call, StaleError
from services.codestore.follower.errors import GoneError, TrimmedError
from services.codestore.keys import segment_keys
from taxohash.errors import TaxohashError
from tests.support.store_reading import Follower
from tests.support.store_scenarios import (
    TAXONOMY,
    codes_by_id,
    filled,
    ids_of,
    numbered,
    random_codes,
    ref,
    refused,
    served,
)

pytestmark = pytest.mark.system


# -- exactly once ----------------------------------------------------------------------------------


def test_a_named_write_counts_once_however_often_and_by_whom_it_is_sent(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    store.begin(name, ref("g"))
    items = numbered(4_000)  # several rounds in each segment
    write = WriteId("nightly import", 17)
    written = store.upsert(name, items, {"g": random_codes(4_000)}, write=write)
    store.delete(name, ["item 7"])
    before = store.tallies(name)
    assert other.upsert(name, items, {"g": random_codes(4_000)}, write=write) == written
    assert store.tallies(name) == before
    assert store.item(name, "item 7") is None


def test_a_named_write_that_was_cut_short_is_finished(store: CodeStore, name: str) -> None:
    items, write = numbered(4_000), WriteId("import", 1)

    def cut(*args: object) -> object:
        if calls.pop():
            raise TimeoutError
        return make(*args)  # type: ignore[arg-type]

    make, calls = store.server.call_all, [True, False]  # the second round never leaves
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.server, "call_all", cut)
        with pytest.raises(TimeoutError):
            store.upsert(name, items, write=write)
    assert 0 < store.count(name) < 4_000
    written = store.upsert(name, items, write=write)
    assert written.count("added") == 4_000
    assert store.count(name) == 4_000
    assert store.upsert(name, items, write=write) == written


def test_an_older_or_another_write_by_a_name_is_refused(store: CodeStore, name: str) -> None:
    store.upsert(name, [Item("a", (0,))], write=WriteId("w", 5))
    refused(
        store, name, lambda: store.upsert(name, [Item("a", (1,))], write=WriteId("w", 4)),
        "write 4 of writer w comes after its write 5: number writes upwards",
    )  # fmt: skip
    refused(
        store, name, lambda: store.upsert(name, [Item("a", (1,))], write=WriteId("w", 5)),
        "write 5 of writer w was another batch: number writes upwards",
    )  # fmt: skip
    refused(
        store, name, lambda: store.delete(name, ["a"], write=WriteId("w", 5)), "write 5 of writer w was another"
    )  # fmt: skip
    store.upsert(name, [Item("a", (1,))], write=WriteId("v", 4))  # another writer
    store.upsert(name, [Item("a", (2,))], write=WriteId("w", 2**53 - 1))
    assert store.item(name, "a") == Item("a", (2,))


def test_every_kind_of_write_is_known_again(store: CodeStore, name: str) -> None:
    filled(store, name, "g", [Item("a"), Item("b"), Item("c")])
    store.begin(name, ref("h"))
    calls: list[Callable[[int], Written]] = [
        lambda number: store.fill(name, "h", [Item("a"), Item("b", (1,))], write=WriteId("w", number)),
        lambda number: store.put_codes(
            name, "h", ["a", "b", "z"], random_codes(3), write=WriteId("w", number)
        ),
        lambda number: store.upsert(name, [Item("a", (2,)), Item("d")], write=WriteId("w", number)),
        lambda number: store.delete(name, ["d", "c"], write=WriteId("w", number)),
    ]
    for number, call in enumerate(calls):
        written = call(number)
        before = store.tallies(name)
        assert call(number) == written
        assert store.tallies(name) == before


def test_gc_keeps_what_writers_did_lately(store: CodeStore, name: str) -> None:
    written = store.upsert(name, [Item("a")], write=WriteId("w", 1))
    store.delete(name, ["a"])
    store.gc(name)
    assert store.upsert(name, [Item("a")], write=WriteId("w", 1)) == written
    assert store.item(name, "a") is None
    opened = store._open(name)
    for segment in range(3):  # as gc does a week later
        store.server.call(opened.on(segment, "forget_writers", 2**62, b"0 w\xff\xff"))
    assert store.upsert(name, [Item("a")], write=WriteId("w", 1)).results == ("added",)


# -- tokens and what changed -----------------------------------------------------------------------


def test_a_token_names_what_a_reader_must_have_reached(store: CodeStore, name: str) -> None:
    token = store.upsert(name, numbered(9)).token
    assert Token.parse(str(token)) == token
    positions = [tally.position for tally in store.tallies(name)]
    assert token.positions == dict(enumerate(positions))
    later = store.upsert(name, [Item("item 0")]).token
    ((segment, position),) = later.positions.items()
    assert position == positions[segment] + 1
    assert (token | later).positions == {**token.positions, segment: position}
    assert store.delete(name, ["nobody"]).token.positions.items() <= (token | later).positions.items()


def test_positions_are_dense_and_the_stream_names_the_rows(store: CodeStore, fresh: str) -> None:
    name = fresh
    store.create(name, TAXONOMY, segments=1)
    store.upsert(name, numbered(200))
    store.begin(name, ref("g"))
    store.put_codes(name, "g", [f"item {i}" for i in range(10, 20)], random_codes(10))
    store.put_codes(name, "g", [f"item {i}" for i in range(0, 200, 50)], random_codes(4))
    token = store.delete(name, ["item 3", "item 4", "item 199"]).token
    key = segment_keys(name, 0)[1]
    entries = store.server.command("XREVRANGE", key, "+", "-", "COUNT", 100, key=key)[::-1]
    fields = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in entries]
    assert [entry_id for entry_id, _ in entries] == [b"0-1", b"1-0", b"2-0", b"3-0", b"4-0", b"5-0"]
    assert token.positions == {0: 5}
    assert [own[b"operation"] for own in fields] == [
        b"made",
        b"items",
        b"begin",
        b"codes",
        b"codes",
        b"delete",
    ]
    runs = [np.frombuffer(own[b"rows"], "<u4").reshape(-1, 2).tolist() for own in fields[1:]]
    assert runs == [
        [[0, 200]],
        [[0, 200]],
        [[10, 10]],
        [[0, 1], [50, 1], [100, 1], [150, 1]],
        [[3, 2], [199, 1]],
    ]


def test_the_stream_is_bounded_and_a_follower_that_is_too_late_reads_the_segment_anew(
    store: CodeStore, fresh: str
) -> None:
    name = fresh
    store.create(name, TAXONOMY, segments=1)
    served(store, name, "g", numbered(3))
    follower = Follower(store, name, "g")
    follower.catch_up()
    opened = store._open(name)
    calls = [
        opened.on(0, "write_items", "writer", number, b"a\xff", bytes(4), *[b""] * 6, b"\0")
        for number in range(1, 4_401)
    ]
    replies = store.server.call_all(calls, APPLIED)
    positions = [position for position, _ in replies]
    assert positions == list(range(positions[0], positions[0] + 4_400))
    key = segment_keys(name, 0)[1]
    entries = store.server.command("XREVRANGE", key, "+", "-", "COUNT", 10_000, key=key)
    assert 4_096 <= len(entries) <= 4_096 + 200
    assert set(follower.catch_up()) == {"a", *ids_of(numbered(3))}
    assert follower.read == 2


def test_a_follower_equals_a_fresh_reading_through_everything(store: CodeStore, name: str) -> None:
    store.begin(name, ref("g"))
    follower = Follower(store, name, "g")

    def agrees() -> None:
        assert follower.catch_up() == Follower(store, name, "g", page_blocks=3).catch_up()

    store.fill(name, "g", numbered(900), random_codes(900))
    agrees()
    store.seal(name, "g")
    store.publish(name, "g")
    store.upsert(name, [Item(f"item {i}", (1, 2), tags=("sale",)) for i in range(0, 900, 7)])
    store.delete(name, [f"item {i}" for i in range(100, 700)])
    agrees()
    store.gc(name)
    agrees()
    store.upsert(name, numbered(60, first=880))
    agrees()
    assert follower.read == 3  # never again after the first time


def test_followers_are_told_what_they_cannot_follow(store: CodeStore, other: CodeStore, name: str) -> None:
    filled(store, name, "g", numbered(30))
    served(store, name, "h", numbered(30))
    incarnation = store.pointer(name).incarnation
    page = store.page(name, "g", 0, 0, incarnation=incarnation)
    for seen in ([(page.position, page.stamp + 1)], [(page.position + 1, page.stamp)]):
        with pytest.raises(TrimmedError, match=f"what was written since {page.position}: read it anew"):
            store.changes(name, "g", 0, page.position, seen, incarnation=incarnation)
    with pytest.raises(TrimmedError):
        store.changes(name, "g", 0, page.position + 1, [], incarnation=incarnation)
    with pytest.raises(StaleError, match="made anew: open it again"):
        store.changes(name, "g", 0, page.position, [], incarnation="0" * 32)
    store.discard(name, "g")
    with pytest.raises(GoneError, match="was dropped: follow another"):
        store.page(name, "g", 0, 0, incarnation=incarnation)
    other.begin(name, ref("g", 40))  # another one of that name
    with pytest.raises(GoneError, match="was dropped"):
        store.changes(name, "g", 0, page.position, [(page.position, page.stamp)], incarnation=incarnation)
    assert store.page(name, "g", 0, 0, incarnation=incarnation).codes.shape[1] == 5


def test_subscribers_hear_of_writes_and_of_the_pointer(store: CodeStore, name: str) -> None:
    subscription = store.subscribe(name)
    try:
        heard: list[bytes] = []
        subscription.wait(0.2)  # connects
        assert subscription.trouble == ""
        token = store.upsert(name, [Item("a")]).token
        served(store, name, "g", [Item("b")])
        while b"published" not in heard:
            messages = subscription.wait(30)
            assert messages
            heard += messages
        ((segment, position),) = token.positions.items()
        assert f"{segment} {position}".encode() in heard
    finally:
        subscription.close()


# -- many at once ----------------------------------------------------------------------------------


def test_concurrent_writers_keep_the_columns_together(store: CodeStore, name: str) -> None:
    ids = [f"shared {number}" for number in range(300)]
    store.begin(name, ref("g"))

    def write(writer: int) -> None:
        rng = np.random.default_rng(writer)
        for _ in range(4):
            mine = rng.permutation(300)[:200]
            codes = np.stack([mine % 256, np.full(200, writer << 4)], axis=1).astype(np.uint8)
            items = [Item(ids[i], (int(i) % 3,), tags=(str(i),)) for i in mine]
            store.upsert(name, items, {"g": codes})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    snapshot = store.snapshot(name, "g")
    number = np.array([int(item_id.split()[1]) for item_id in snapshot.ids])
    assert len(set(number)) == len(number) == store.count(name) == store.count(name, "g")
    assert np.array_equal(snapshot.codes[:, 0], number % 256)
    assert np.array_equal(snapshot.labels.flat, number % 3)
    assert [store.item(name, ids[i]) for i in number[:20]] == [
        Item(ids[i], (i % 3,), tags=(str(i),)) for i in number[:20].tolist()
    ]


def test_a_reader_never_sees_half_a_write_and_sees_its_own(store: CodeStore, fresh: str) -> None:
    name = fresh
    store.create(name, TAXONOMY, segments=1)
    items = numbered(500)
    store.begin(name, ref("g", 8))
    store.fill(name, "g", items, np.zeros((500, 1), np.uint8))

    def write() -> None:
        for value in range(1, 25):
            token = store.put_codes(name, "g", ids_of(items), np.full((500, 1), value, np.uint8)).token
            own = store.snapshot(name, "g")
            assert own.position[0] >= token.positions[0]
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


def test_reading_goes_on_while_items_come_go_and_are_packed(store: CodeStore, name: str) -> None:
    served(store, name, "g", numbered(600))
    kept = set(ids_of(numbered(300)))
    done = threading.Event()

    def churn() -> None:
        try:
            for _ in range(4):
                store.delete(name, ids_of(numbered(300, first=300)))
                store.gc(name)
                store.upsert(name, numbered(300, first=300), {"g": random_codes(300)})
        finally:
            done.set()

    follower = Follower(store, name, "g")
    with ThreadPoolExecutor(1) as pool:
        churning = pool.submit(churn)
        while not done.is_set():
            assert codes_by_id(store, name).keys() >= kept
            assert follower.catch_up().keys() >= kept
        churning.result()
    assert follower.catch_up().keys() == set(ids_of(numbered(600)))


def test_functions_come_back_when_the_server_lost_them(store: CodeStore, name: str) -> None:
    if store.server.url == "memory://":
        return  # nobody can take them away
    store.server.on_primaries("FUNCTION", "FLUSH")
    assert store.upsert(name, [Item("a", (0,))]).results == ("added",)
    store.server.on_primaries("FUNCTION", "FLUSH")
    assert store.item(name, "a") == Item("a", (0,))


def test_more_durable_than_the_back_end_can_is_refused(store: CodeStore, name: str) -> None:
    call = Call("tally", segment_keys(name, 0), (store._open(name).incarnation,), True)
    assert store.server.call_all([call], APPLIED)
    if store.server.url == "memory://":
        refused(
            store, name, lambda: store.upsert(name, [Item("a")], durability=replicated(1)),
            r"cannot make a write replicated\(1\): ask for applied",
        )  # fmt: skip
        with pytest.raises(TaxohashError, match="cannot make a write fsynced"):
            store.delete(name, ["a"], durability=type(APPLIED)("fsynced"))
