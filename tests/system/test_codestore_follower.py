"""Followers of real servers, alone and as a cluster, and of a store in memory: level with it after whatever was written."""

import itertools
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item
from services.codestore.backfill import Turn
from services.codestore.follower.follower import Follower
from services.codestore.follower.protocol import Pace
from services.codestore.follower.source import Collection
from services.codestore.follower.swap import Serving, Standing, Swap
from services.codestore.keys import collection_keys, segment_keys
from services.codestore.records import Token
from taxohash.taxonomy import Taxonomy
from tests.support.table_replica import TableReplica, as_stored
from tests.support.waiting import until

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
NAMES = (f"followed{number}" for number in itertools.count())
SMALL_PAGES = Pace(blocks=1)
LONG = 60.0  # seconds; waited for only where a test fails


@pytest.fixture(params=["memory", "redis_url", "redis8_url", "redis7_url", "cluster_url"])
def store(request: pytest.FixtureRequest) -> Iterator[CodeStore]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue(request.param)
    with CodeStore.connect(url, timeout=10) as connected:
        yield connected


def codes(count: int, chance: random.Random) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    return np.frombuffer(chance.randbytes(count * 8), np.uint8).reshape(count, 8)


def made(store: CodeStore, *generations: str) -> Collection:
    """A collection of three segments with some generations, of which the first is published."""
    name = next(NAMES)
    store.create(name, TAXONOMY, segments=3)
    for generation in generations:
        store.begin(name, GenerationRef(generation, 64, TAXONOMY.sha256))
        store.seal(name, generation)
    store.publish(name, generations[0])
    return Collection(store, name, "test-process")


def churn(store: CodeStore, name: str, generation: str, chance: random.Random, times: int) -> Token:
    """Writes of every kind. Returns the token of all of them."""
    token: Token | None = None
    for _ in range(times):
        ids = [f"item {number}" for number in chance.sample(range(600), chance.choice((1, 5, 60)))]
        kind = chance.random()
        if kind < 0.55:
            items = [
                Item(
                    item_id,
                    tuple(chance.sample(range(3), chance.choice((0, 1, 1, 1, 2)))),
                    uri=f"file:///{chance.randrange(9)}",
                    tags=("new",) if chance.random() < 0.2 else (),
                )
                for item_id in ids
            ]
            own = {generation: codes(len(ids), chance)} if chance.random() < 0.7 else None
            written = store.upsert(name, items, own)
        elif kind < 0.85:
            written = store.delete(name, ids)
        else:
            written = store.put_codes(name, generation, ids, codes(len(ids), chance))
        token = token | written.token if token else written.token
    assert token
    return token


def test_a_follower_is_level_after_any_writes(store: CodeStore) -> None:
    collection = made(store, "a")
    churn(store, collection.name, "a", random.Random(1), 20)
    with Follower(
        collection.source(collection.pointer()), replica := TableReplica(), pace=SMALL_PAGES
    ) as follower:
        tokens = list[Token]()

        def write(seed: int) -> None:
            for _ in range(5):
                tokens.append(churn(store, collection.name, "a", random.Random(seed), 10))

        writers = [threading.Thread(target=write, args=(seed,)) for seed in (2, 3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        store.delete(collection.name, [f"item {number}" for number in range(0, 600, 3)])
        store.gc(collection.name)
        tokens.append(churn(store, collection.name, "a", random.Random(4), 5))
        for token in tokens:
            assert follower.wait(token, LONG)
        until(lambda: replica.rows == as_stored(store, collection.name, "a"))
        assert follower.state == "following"
        assert follower.error == ""
        assert store.leases(collection.name).keys() == {("a", "test-process")}
    assert not store.leases(collection.name)


def test_hints_alone_bring_a_write(store: CodeStore) -> None:
    collection = made(store, "a")
    deaf = Pace(look=3600)
    with Follower(collection.source(collection.pointer()), TableReplica(), pace=deaf) as follower:
        assert follower.wait_ready(LONG)

        def is_heard() -> bool:  # once the subscription stands
            token = store.upsert(collection.name, [Item("x")]).token
            with follower._changed:
                return follower._changed.wait_for(lambda: follower.covers(token), 0.5)

        until(is_heard)


def test_a_segment_whose_entries_were_trimmed_is_loaded_anew(store: CodeStore) -> None:
    collection = made(store, "a")
    churn(store, collection.name, "a", random.Random(1), 20)
    with Follower(
        collection.source(collection.pointer()), replica := TableReplica(), pace=SMALL_PAGES
    ) as follower:
        assert follower.wait_ready(LONG)
        with follower.held():
            token = churn(store, collection.name, "a", random.Random(2), 30)
            for segment in range(3):
                _, changes, _ = segment_keys(collection.name, segment)
                store._connection.command("XTRIM", changes, "MAXLEN", "1", key=changes)
        assert follower.wait(token, LONG)
        assert replica.rows == as_stored(store, collection.name, "a")


def test_a_generation_that_is_dropped_is_gone(store: CodeStore) -> None:
    collection = made(store, "a", "b")
    with Follower(collection.pinned("b"), TableReplica()) as follower:
        assert follower.wait_ready(LONG)
        store.discard(collection.name, "b")
        until(lambda: follower.state == "gone")


def test_a_collection_that_was_made_anew_is_stale(store: CodeStore) -> None:
    collection = made(store, "a")
    with Follower(collection.source(collection.pointer()), TableReplica()) as follower:
        assert follower.wait_ready(LONG)
        for keys in (collection_keys(collection.name), *(segment_keys(collection.name, s) for s in range(3))):
            store._connection.command("UNLINK", *keys, key=keys[0])
        store._collections.clear()
        store.create(collection.name, TAXONOMY, segments=3)
        until(lambda: follower.state == "stale")


def test_publishing_and_going_back_swap_without_losing_an_item(store: CodeStore) -> None:
    collection = made(store, "a", "b")
    name = collection.name
    chance = random.Random(5)

    def opened(ref: GenerationRef) -> Serving[TableReplica, None]:
        return Serving(ref.id, TableReplica(), None)

    with Swap(collection, opened, look_seconds=0.02) as swap:
        assert swap.wait_ready(LONG)
        both = {generation: codes(1, chance) for generation in "ab"}
        token = store.upsert(name, [Item("in both")], both).token
        token |= store.upsert(name, [Item("in a", uri="file:///x")], {"a": codes(1, chance)}).token
        assert swap.answer(token, ["in both", "in a", "nowhere"], LONG) == {
            "in both": Standing("searchable"),
            "in a": Standing("searchable"),
            "nowhere": Standing("absent"),
        }
        store.put_codes(name, "b", ["in a"], codes(1, chance))
        store.publish(name, "b")
        token |= store.upsert(name, [Item("in a", uri="file:///y")], {"a": codes(1, chance)}).token
        until(lambda: swap.serving is not None and swap.serving.generation == "b")
        assert swap.answer(token, ["in both", "in a"], LONG) == {
            "in both": Standing("searchable"),
            "in a": Standing("being encoded"),
        }
        with Turn(store, name, "b", "a backfill") as turn:
            (lacking,) = [item for items in store.lacking(name, "b") for item in items]
            store.quarantine(name, "b", turn.token, [(lacking, "it is a page")])
        token |= store.upsert(name, [Item("no picture")]).token
        assert swap.answer(token, ["in both", "in a", "no picture"], LONG) == {
            "in both": Standing("searchable"),
            "in a": Standing("cannot be encoded", "its picture cannot be read: it is a page"),
            "no picture": Standing("cannot be encoded", "it has no picture: put it with one, or with a URI"),
        }
        store.rollback(name)
        until(lambda: swap.serving is not None and swap.serving.generation == "a")
        assert swap.answer(token, ["in both", "in a"], LONG) == {
            "in both": Standing("searchable"),
            "in a": Standing("searchable"),
        }


def test_a_restarted_server_is_followed_on(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data")
    with server, CodeStore.connect(server.url, timeout=1) as store:
        collection = made(store, "a")
        churn(store, collection.name, "a", random.Random(1), 10)
        with Follower(collection.source(collection.pointer()), replica := TableReplica()) as follower:
            assert follower.wait_ready(LONG)
            rows = dict(replica.rows)
            server.stop()
            until(lambda: follower.state == "cut")
            assert replica.rows == rows
            assert follower.error
            server.start()
            token = churn(store, collection.name, "a", random.Random(2), 10)
            assert follower.wait(token, LONG)
            until(lambda: follower.state == "following")
            assert replica.rows == as_stored(store, collection.name, "a")
