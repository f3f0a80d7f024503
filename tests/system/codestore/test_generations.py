"""Generations: filled, sealed, published, taken back, held and dropped; and what writes of the API do in them."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from services.codestore import CodeStore, Item
from services.codestore.connection import Call
from services.codestore.keys import collection_keys, segment_keys
from services.codestore.origins import MOST_BYTES
from taxohash.errors import TaxohashError
from tests.support.store_scenarios import (
    DIGEST,
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


# -- data versions ---------------------------------------------------------------------------------


def test_a_snapshot_holds_what_was_filled_in_any_order(store: CodeStore, name: str) -> None:
    items = numbered(5_000)
    codes = random_codes(len(items))
    order = np.random.default_rng(1).permutation(len(items))
    store.begin(name, ref("g"))
    store.fill(name, "g", [items[i] for i in order[:3_000]], codes[order[:3_000]])
    assert store.count(name, "g") == 3_000
    store.fill(name, "g", [items[i] for i in order[2_500:]], codes[order[2_500:]])
    snapshot = store.snapshot(name, "g")
    numbers = np.array([int(item_id.split()[1]) for item_id in snapshot.ids])
    assert sorted(numbers) == list(range(5_000))
    assert np.array_equal(snapshot.codes, codes[numbers])
    assert np.array_equal(snapshot.labels.flat, numbers % 3)
    assert snapshot.labels.flat.dtype == np.int32
    assert list(store.snapshot(name, "g").ids) == list(snapshot.ids)


def test_a_data_version_decides_about_items_of_its_own_origin_only(store: CodeStore, name: str) -> None:
    served(store, name, "old", [Item("both", (0,)), Item("dropped", (1,))])
    store.upsert(name, [Item("ours", (2,))], {"old": random_codes(1, seed=5)})
    store.begin(name, ref("new"))
    written = store.fill(name, "new", [Item("both", (1,)), Item("fresh", (2,)), Item("ours", (0,))])
    assert written.results == ("replaced", "added", "kept")
    assert set(codes_by_id(store, name)) == {"both", "dropped", "ours"}  # what is served is as it was
    assert store.items(name, ["both", "dropped", "fresh", "ours"], "old") == [
        Item("both", (0,)), Item("dropped", (1,)), None, Item("ours", (2,)),
    ]  # fmt: skip
    assert store.items(name, ["both", "dropped", "fresh", "ours"], "new") == [
        Item("both", (1,)), None, Item("fresh", (2,)), Item("ours", (2,)),
    ]  # fmt: skip
    states = {state.ref.id: (state.members, state.codes) for state in store.generations(name)}
    assert states == {"old": (3, 3), "new": (3, 0)}


def test_a_record_that_differs_is_seen_through_its_generation_until_the_older_are_gone(
    store: CodeStore, name: str
) -> None:
    before = Item("a", (0,), "old", tags=("old",))
    after = Item("a", (1,), "new", metadata={"season": "winter"}, tags=("new", "more"))
    served(store, name, "g", [before])
    served(store, name, "h", [after])
    assert store.item(name, "a", "g") == before
    assert store.item(name, "a", "h") == after
    store.gc(name)
    assert store.item(name, "a", "g") == before  # a roll-back goes there
    served(store, name, "i", [after])
    store.gc(name)
    assert [store.item(name, "a", generation) for generation in ("h", "i")] == [after, after]


def test_an_item_whose_generation_is_gone_has_no_labels(store: CodeStore, name: str) -> None:
    filled(store, name, "g", [Item("a", (0,))])
    served(store, name, "h", [Item("b", (0,))])
    store.discard(name, "g")
    assert store.item(name, "a") == Item("a")
    assert store.gc(name).items == 1
    assert store.item(name, "a") is None


def test_an_item_that_the_api_has_edited_keeps_its_place_in_the_data_set(store: CodeStore, name: str) -> None:
    """Editing tags must not take an item out of the next generation: its picture is in the data set."""
    items = numbered(4)
    served(store, name, "g", items)
    store.upsert(name, [Item("item 1", (2,), tags=("sale",))])
    assert len(codes_by_id(store, name)) == 4  # the picture is the same, so is the code
    codes = filled(store, name, "h", items, seed=1)
    store.publish(name, "h")
    assert codes_by_id(store, name) == {item.id: codes[i].tobytes() for i, item in enumerate(items)}
    assert store.item(name, "item 1", "h") == Item("item 1", (2,), tags=("sale",))
    store.upsert(name, [Item("item 2", (2,), "u")])
    filled(store, name, "j", [Item("item 1", (1,), "of the data set")])
    assert set(codes_by_id(store, name, "j")) == {"item 1"}
    store.begin(name, ref("i"))  # and a backfill finds it
    store.fill(name, "i", items)
    assert {item.id for part in store.lacking(name, "i") for item in part} == set(ids_of(items))


def test_the_code_of_a_data_set_is_not_taken_where_the_api_has_given_another_picture(
    store: CodeStore, name: str
) -> None:
    served(store, name, "g", [Item("a", (0,))])
    store.upsert(name, [Item("a", (0,), picture=DIGEST)])
    filled(store, name, "h", [Item("a", (0,))])
    (lacking,) = [item for part in store.lacking(name, "h") for item in part]
    assert (lacking.id, lacking.picture) == ("a", DIGEST)
    refused(store, name, lambda: store.publish(name, "h"), "lacks the codes of 1 of the 1 items")


def test_the_code_of_a_data_set_is_taken_where_the_api_has_given_the_same_picture(
    store: CodeStore, name: str
) -> None:
    served(store, name, "g", [Item("a", (0,))])
    store.upsert(name, [Item("a", (0,), picture=DIGEST)], {"g": random_codes(1)})
    codes = filled(store, name, "h", [Item("a", (1,), picture=DIGEST)], seed=1)
    assert codes_by_id(store, name, "h") == {"a": codes[0].tobytes()}
    assert store.item(name, "a", "h") == Item("a", (0,), picture=DIGEST)


@pytest.mark.parametrize("given", [False, True])
def test_a_code_never_outlives_its_picture(store: CodeStore, name: str, given: bool) -> None:
    """Catalogue and generation may have different pictures: each code goes with the one that it was made of."""
    served(store, name, "g", [Item("a", (0,), "first")])
    store.begin(name, ref("h"))
    store.fill(name, "h", [Item("a", (0,), "second")], random_codes(1))
    (before,) = store.items(name, ["a"])
    assert before is not None
    if given:
        store.fill(name, "h", [Item("a", (0,), "first")])
    else:
        store.upsert(name, [Item("a", (0,), "first")])
    assert "a" in codes_by_id(store, name, "g")
    assert "a" not in codes_by_id(store, name, "h")
    late = store.put_codes(name, "h", ["a"], random_codes(1), [before.revision])
    assert late.results == ("changed",)


def test_a_code_of_an_older_picture_is_left_out(store: CodeStore, name: str) -> None:
    store.upsert(name, [Item("a", uri="one"), Item("b", uri="one")])
    store.begin(name, ref("g"))
    found = {item.id: item for part in store.lacking(name, "g") for item in part}
    store.upsert(name, [Item("a", uri="two"), Item("b", (1,), uri="one")])
    ids = ["a", "b", "nobody"]
    revisions = [found["a"].revision, found["b"].revision, 0]
    written = store.put_codes(name, "g", ids, random_codes(3), revisions)
    assert written.results == ("changed", "coded", "absent")
    assert set(codes_by_id(store, name, "g")) == {"b"}


def test_an_item_without_a_picture_is_not_waited_for(store: CodeStore, name: str) -> None:
    store.upsert(name, [Item("bare"), Item("pictured", picture=DIGEST)])
    store.begin(name, ref("g"))
    store.seal(name, "g")
    refused(store, name, lambda: store.publish(name, "g"), "lacks the codes of 1 of the 2 items")
    store.put_codes(name, "g", ["pictured"], random_codes(1))
    store.publish(name, "g")
    (state,) = store.generations(name)
    assert (state.members, state.codes) == (2, 1)


def test_publish_waits_for_what_was_there_and_not_for_what_came_since(store: CodeStore, name: str) -> None:
    store.upsert(name, [Item(f"a{number}", uri="u") for number in range(5)])
    store.begin(name, ref("g"))
    store.seal(name, "g")
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(store.publish, name, "g", wait=60)
        time.sleep(0.2)
        store.upsert(name, [Item("late", uri="u")])
        store.put_codes(name, "g", [f"a{number}" for number in range(5)], random_codes(5))
        assert publishing.result(60) is None
    assert "late" not in codes_by_id(store, name)


def test_an_interrupted_begin_is_finished_by_the_next_and_not_sealed_before(
    store: CodeStore, name: str
) -> None:
    items = [Item(f"a{number}", uri="u") for number in range(400)]
    store.upsert(name, items)
    opened = store._open(name)
    store.server.call(opened.call("begin", "g", f"12 {ref('g').taxonomy_sha256}"))
    store.server.call(opened.on(0, "begin_segment", "g", 12, 0, 1))  # and then it was killed
    for _ in range(2):  # not half of it either
        refused(store, name, lambda: store.seal(name, "g"), "'g' is not begun to its end: begin it again")
        store.server.call(opened.on(1, "begin_segment", "g", 12, 0, 1))
    store.begin(name, ref("g"))
    (state,) = store.generations(name)
    assert state.members == 400
    store.seal(name, "g")


# -- the pointer -----------------------------------------------------------------------------------


def test_publish_and_rollback_walk_the_history(store: CodeStore, name: str) -> None:
    items = numbered(40)
    assert [served(store, name, g, items) for g in ("a", "b", "c")] == [None, "a", "b"]
    assert store.publish(name, "c") == "b"  # again: nothing changes
    assert store.history(name) == ["c", "b", "a"]
    assert store.rollback(name) == "b"
    assert store.publish(name, "a") == "b"
    assert store.history(name) == ["a", "b"]
    assert [(g.ref.id, g.state, g.codes) for g in store.generations(name)] == [
        ("a", "published", 40),
        ("b", "retired", 40),
        ("c", "retired", 40),
    ]
    assert store.rollback(name) == "b"
    refused(store, name, lambda: store.rollback(name), "only 'b' published: there is none to roll back to")


def test_a_generation_that_is_published_again_has_what_it_missed(store: CodeStore, name: str) -> None:
    items = [Item("kept", (0,), "u"), Item("moved", (0,), "u"), Item("gone", (0,), "u")]
    store.begin(name, ref("a"))
    store.upsert(name, items, {"a": random_codes(3)})
    store.seal(name, "a")
    store.publish(name, "a")
    filled(store, name, "b", numbered(3))
    store.put_codes(name, "b", ids_of(items), random_codes(3))
    store.publish(name, "b")
    store.rollback(name)  # writes reach b no more
    store.upsert(name, [Item("moved", (1,), "v"), Item("came", (2,), "u"), Item("kept", (2,), "u")])
    store.put_codes(name, "a", ["moved", "came"], random_codes(2))
    store.delete(name, ["gone"])
    refused_before = store.tallies(name)
    with pytest.raises(TaxohashError, match="'b' lacks the codes of 2 of the"):
        store.publish(name, "b")
    assert store.history(name) == ["a"]
    assert [tally.items for tally in store.tallies(name)] == [tally.items for tally in refused_before]
    lacking = {item.id: item.uri for part in store.lacking(name, "b") for item in part}
    assert lacking == {"moved": "v", "came": "u"}
    store.put_codes(name, "b", list(lacking), random_codes(2))
    assert store.publish(name, "b") == "a"
    assert set(codes_by_id(store, name)) == {"kept", "moved", "came", *ids_of(numbered(3))}
    assert store.item(name, "kept", "b") == Item("kept", (2,), "u")
    store.upsert(name, [Item("later", uri="u")])  # writes reach it again
    assert {item.id for part in store.lacking(name, "b") for item in part} == {"later"}
    assert store.rollback(name) == "a"
    assert {item.id for part in store.lacking(name, "a") for item in part} == {"later"}


def test_a_rollback_over_two_generations_serves_what_came_meanwhile(store: CodeStore, name: str) -> None:
    for generation_id in ("a", "b", "c"):
        served(store, name, generation_id, numbered(5))
    store.upsert(name, [Item("new", uri="u")])
    assert (store.rollback(name), store.rollback(name)) == ("b", "a")
    assert {item.id for part in store.lacking(name, "a") for item in part} == {"new"}


def test_the_pointer_is_moved_once_by_one_request(store: CodeStore, name: str) -> None:
    for generation_id in ("a", "b", "c"):
        served(store, name, generation_id, numbered(5))
    opened = store._open(name)
    call = opened.call("point", "request", "rollback", "c", "b", "", "me", "")
    assert [store.server.call(call) for _ in range(2)] == [1, 0]
    assert store.history(name) == ["b", "a"]
    again = opened.call("point", "another", "rollback", "c", "a", "", "me", "")
    refused(store, name, lambda: store.server.call(again), "b was published meanwhile, not c")
    wrong = opened.call("point", "another", "rollback", "b", "c", "", "me", "")
    refused(store, name, lambda: store.server.call(wrong), "c is not the one before b by now")


def test_concurrent_publishers_leave_each_generation_once(store: CodeStore, name: str) -> None:
    items = numbered(10)
    generation_ids = [f"g{number}" for number in range(5)]
    for generation_id in generation_ids:
        filled(store, name, generation_id, items)

    def publish(generation_id: str) -> None:
        while True:
            try:
                store.publish(name, generation_id)
                return
            except TaxohashError as error:
                if "was published meanwhile" not in str(error):
                    raise

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(publish, generation_ids))
    assert sorted(store.history(name)) == generation_ids
    assert sum(state.state == "published" for state in store.generations(name)) == 1
    store.upsert(name, [Item("new", uri="u")])
    for live in store.history(name)[:2]:
        assert store.item(name, "new", live) == Item("new", uri="u")


def test_the_audit_tells_who_moved_the_pointer_and_why(store: CodeStore, name: str) -> None:
    before = time.time()
    for generation_id in ("a", "b"):
        filled(store, name, generation_id, numbered(3))
        store.publish(name, generation_id, who="Ann ü", why="the\nweekly\trun")
    store.rollback(name, who="Bob", why="worse")
    store.discard(name, "b", who="Cy")
    entries = store.audit(name)
    assert [(e.operation, e.previous, e.generation, e.who, e.why) for e in entries] == [
        ("discard", "b", "", "Cy", ""),
        ("rollback", "b", "a", "Bob", "worse"),
        ("publish", "a", "b", "Ann ü", "the\nweekly\trun"),
        ("publish", "", "a", "Ann ü", "the\nweekly\trun"),
        ("create", "", "", "", ""),
    ]
    assert all(before - 60 < entry.when < time.time() + 60 for entry in entries)
    assert store.audit(name, most=2) == entries[:2]


def test_where_a_generation_comes_from_is_known_after_it_is_gone(store: CodeStore, name: str) -> None:
    filled(store, name, "a", numbered(3))
    assert store.origin(name, "a") is None
    for text in ("first", '{"run": "ü\\n"}'):
        store.note_origin(name, "a", text)
    store.discard(name, "a")
    assert (store.origin(name, "a"), store.origin(name, "b")) == ('{"run": "ü\\n"}', None)
    with pytest.raises(TaxohashError, match="has 262,145 bytes: keep it to 262,144"):
        store.note_origin(name, "a", "x" * (MOST_BYTES + 1))


def test_the_pointer_names_positions_from_which_the_generation_is_whole(store: CodeStore, name: str) -> None:
    assert store.published(name) is None
    with pytest.raises(TaxohashError, match="no published generation"):
        store.snapshot(name)
    served(store, name, "g", numbered(40))
    pointer = store.pointer(name)
    assert pointer.generation == ref("g")
    assert pointer.positions == tuple(tally.position for tally in store.tallies(name))
    store.upsert(name, numbered(9))
    assert store.pointer(name) == pointer


# -- the end of generations ------------------------------------------------------------------------


def test_discard_deletes_all_but_the_published_generation(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    items = numbered(200)
    for generation_id in ("a", "b", "c"):
        served(store, name, generation_id, items)
    assert len(codes_by_id(other, name, "b")) == 200
    refused(store, name, lambda: store.discard(name, "c"), "c is published")
    store.discard(name, "b")
    assert store.history(name) == ["c", "a"]
    refused(store, name, lambda: store.snapshot(name, "b"), "no generation 'b'")
    refused(store, name, lambda: store.discard(name, "b"), "no generation b")
    store.begin(name, ref("b", 40))  # the id is free again, with other bits, for all clients
    assert store.count(name, "b") == 0
    codes = random_codes(3, bits=40)
    store.fill(name, "b", items[:3], codes)
    assert codes_by_id(other, name, "b") == {items[i].id: codes[i].tobytes() for i in range(3)}


def test_an_interrupted_discard_is_finished_by_the_next_or_by_gc(store: CodeStore, name: str) -> None:
    items = numbered(9_000)
    served(store, name, "served", items[:3])
    for finish in (lambda: store.discard(name, "a"), lambda: store.gc(name)):
        filled(store, name, "a", items)
        opened = store._open(name)
        store.server.call(opened.call("discard", "a", "", ""))
        store.server.call(opened.on(0, "drop", "a", 0, 10))  # and then it was killed
        with pytest.raises(TaxohashError, match="being discarded"):
            store.begin(name, ref("a"))
        refused(store, name, lambda: store.seal(name, "a"), "being discarded")
        with pytest.raises(TaxohashError, match="no generation"):
            store.publish(name, "a")
        finish()
        assert [state.ref.id for state in store.generations(name)] == ["served"]


def test_a_lease_keeps_a_generation_from_gc_until_it_is_given_back_or_runs_out(
    store: CodeStore, name: str
) -> None:
    for generation_id in ("a", "b", "c"):
        served(store, name, generation_id, numbered(5))
        store.lease(name, generation_id, "pod-1", 600)
    store.lease(name, "a", "pod-2", 600)
    served(store, name, "d", numbered(5))
    assert store.gc(name).generations == ()
    assert {state.ref.id for state in store.generations(name) if state.live} == {"a", "b", "c", "d"}
    assert 0 < store.leases(name)["a", "pod-2"] <= 600
    store.release(name, "a", "pod-1")
    store.release(name, "b", "pod-1")
    assert store.gc(name).generations == ("b",)
    store.lease(name, "a", "pod-2", 0.01)
    time.sleep(0.05)
    assert store.gc(name).generations == ("a",)
    assert store.leases(name).keys() == {("c", "pod-1")}
    store.release(name, "nobody", "pod-9")


def test_writes_reach_a_leased_generation_and_no_retired_one(store: CodeStore, name: str) -> None:
    for generation_id in ("a", "b", "c", "d"):
        served(store, name, generation_id, numbered(5))
        store.lease(name, "b", "pod-1", 600)
    store.upsert(name, [Item("new", uri="u")])
    seen = {g: store.item(name, "new", g) is not None for g in ("a", "b", "c", "d")}
    assert seen == {"a": False, "b": True, "c": True, "d": True}
    store.delete(name, ["item 0"])
    assert [store.item(name, "item 0", g) for g in ("a", "b", "c", "d")] == [None] * 4


def test_the_server_itself_refuses_codes_of_another_width(store: CodeStore, name: str) -> None:
    filled(store, name, "g", numbered(40))
    opened = store._open(name)
    for bits, codes, message in (
        (16, b"ab", "12 bits, these codes are of 16"),
        (12, b"a", "1 bytes of codes, not 2"),
    ):
        args = (opened.incarnation, "writer", "1", "g", bits, b"item 0\xff", b"", codes)
        call = Call("put_codes", segment_keys(name, 0), args)
        refused(store, name, partial(store.server.call, call), message)
    stale = Call("put_codes", segment_keys(name, 0), ("0" * 32, *args[1:]))
    refused(store, name, lambda: store.server.call(stale), "was made anew or is not there")
    assert collection_keys(name)[0] in opened.call("status").keys
