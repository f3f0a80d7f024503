"""A serving process without its service: replicas that follow a store, swapped when another generation is published."""

import threading
import time
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.follower.swap import Serving, Standing, Swap
from taxohash.taxonomy import Taxonomy
from tests.support.threads import at_once

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
GENERATIONS = {"old": 16, "new": 32}  # bits
SEGMENTS, FIXED, LONG = 4, 300, 30.0


def encoded(ids: list[str], generation: str) -> npt.NDArray[np.uint8]:
    """A stand-in for a hasher: of each id and generation a code of its own."""
    bits = GENERATIONS[generation]
    rng = [np.random.default_rng(zlib.crc32(f"{generation} {item_id}".encode())) for item_id in ids]
    return np.array([own.integers(0, 256, bits // 8) for own in rng], np.uint8).reshape(len(ids), bits // 8)


def items(ids: list[str]) -> list[Item]:
    return [Item(item_id, (zlib.crc32(item_id.encode()) % 3,), uri=f"s3://{item_id}") for item_id in ids]


def opened(ref: GenerationRef) -> Serving[Replica, str]:
    return Serving(ref.id, Replica(ref.bits, SEGMENTS, TAXONOMY), ref.id)


def check_answer(serving: Serving[Replica, str], item_id: str) -> None:
    """An item that is there is found by its own code, and every distance is that of codes of one generation."""
    query = encoded([item_id], serving.generation)
    found = serving.replica.search(query, k=5)
    distances = np.bitwise_count(encoded(found.ids, serving.generation) ^ query).sum(axis=1)
    assert found.distances.tolist() == distances.tolist(), f"codes of two generations in {serving.generation}"
    assert found.distances[0] == 0
    assert item_id in found.ids[: int((found.distances == 0).sum())]
    for i, name in enumerate(found.ids):
        assert found.labels[i].tolist() == [zlib.crc32(name.encode()) % 3]
    below = serving.replica.search(query, k=5, within="tops")
    assert all(labels != [2] for labels in (below.labels[i].tolist() for i in range(len(below.ids))))


@pytest.mark.parametrize("server", ["memory", "redis_url", "redis8_url", "redis7_url", "cluster_url"])
def test_searches_go_on_while_generations_are_published_and_items_change(
    request: pytest.FixtureRequest, server: str
) -> None:
    url = "memory://" if server == "memory" else request.getfixturevalue(server)
    name, stop = f"live-{server.replace('_', '-')}", threading.Event()
    fixed = [f"fixed {number}" for number in range(FIXED)]
    counts = {"searches": 0, "writes": 0, "swaps": 0}
    with CodeStore.connect(url, timeout=20) as store:
        store.create(name, TAXONOMY, segments=SEGMENTS)
        for generation, bits in GENERATIONS.items():
            store.begin(name, GenerationRef(generation, bits, TAXONOMY.sha256))
            store.seal(name, generation)
        store.upsert(
            name, items(fixed), {generation: encoded(fixed, generation) for generation in GENERATIONS}
        )
        store.publish(name, "old")
        with Swap(Collection(store, name, "test"), opened) as swap:
            assert swap.wait_ready(LONG), swap.error

            def search() -> None:
                rng = np.random.default_rng(1)
                while not stop.is_set():
                    serving = swap.serving
                    assert serving is not None
                    check_answer(serving, fixed[rng.integers(FIXED)])
                    counts["searches"] += 1

            def write() -> None:
                number = 0
                while not stop.is_set():
                    serving = swap.serving
                    assert serving is not None
                    ids = [f"new {number + i}" for i in range(5)]
                    written = store.upsert(
                        name, items(ids), {serving.generation: encoded(ids, serving.generation)}
                    )
                    standings = swap.answer(written.token, ids, LONG)
                    assert set(standings.values()) <= {Standing("searchable"), Standing("being encoded")}, (
                        standings
                    )
                    gone = store.delete(name, ids[:2])
                    standings = swap.answer(gone.token, ids[:2], LONG)
                    assert set(standings.values()) == {Standing("absent")}, standings
                    number += 5
                    counts["writes"] += 1

            def backfill() -> None:
                while not stop.is_set():
                    for generation in GENERATIONS:
                        for found in store.lacking(name, generation):
                            ids = [item.id for item in found]
                            revisions = [item.revision for item in found]
                            store.put_codes(name, generation, ids, encoded(ids, generation), revisions)
                    time.sleep(0.01)

            def publish() -> None:
                try:
                    for number in range(6):
                        wanted = ("new", "old")[number % 2]
                        if number % 3 == 2:
                            wanted = store.rollback(name)
                        else:
                            store.publish(name, wanted, wait=LONG)
                        deadline = time.monotonic() + LONG
                        while (serving := swap.serving) is None or serving.generation != wanted:
                            assert time.monotonic() < deadline, swap.error
                            time.sleep(0.01)
                        counts["swaps"] += 1
                finally:
                    stop.set()

            works: list[Callable[[], None]] = [search, search, write, backfill, publish]
            at_once(works, stop.set)
    assert min(counts.values()) >= 3, counts
