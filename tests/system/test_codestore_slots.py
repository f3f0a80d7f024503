"""The store in a cluster whose slots are moved key by key: every call is right, or says "try again"."""

import random
import threading
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, GenerationRef, Item, TryAgainError
from services.codestore.connection.topology import slot_of
from services.codestore.keys import collection_keys, segment_keys
from taxohash.taxonomy import Taxonomy
from tests.support.cluster import Cluster, running_cluster
from tests.support.threads import at_once

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
REF = GenerationRef("g", 16, TAXONOMY.sha256)
SEGMENTS = 4
SECONDS = 6.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries with slots, and one that owns none."""
    with running_cluster(
        tmp_path_factory.mktemp("cluster"), without_slots=1, cluster_allow_replica_migration="no"
    ) as running:
        yield running


def code_of(number: int) -> npt.NDArray[np.uint8]:
    return np.array([[number >> 8 & 255, number & 255]], np.uint8)


def end_after(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)
    stop.set()


def in_use(store: CodeStore, name: str) -> dict[str, int]:
    """The code of each item, as one snapshot has it."""
    snapshot = store.snapshot(name, "g")
    codes = snapshot.codes.astype(int) @ [256, 1]
    return dict(zip(snapshot.ids.tolist(), codes.tolist(), strict=True))


def test_a_half_moved_segment_is_waited_for(cluster: Cluster) -> None:
    with CodeStore.connect(cluster.url, timeout=1.0) as store:
        store.create("half", TAXONOMY, segments=1)
        store.begin("half", REF)
        keys = segment_keys("half", 0)
        slot = slot_of(keys[0])
        source = cluster.holder(keys[0])
        target = (source + 1) % 3
        for number in range(100):
            store.upsert("half", [Item(f"item {number}")], {"g": code_of(number)})
        cluster.begin_move(slot, source, target)
        assert store.count("half") == 100
        cluster.move_keys(slot, source, target, most=1)
        for use in (
            lambda: store.count("half"),
            lambda: store.snapshot("half", "g"),
            lambda: store.upsert("half", [Item("late")]),
            lambda: store.delete("half", ["item 1"]),
            lambda: store.item("half", "item 1"),
        ):
            with pytest.raises(TryAgainError, match="again"):
                use()
        cluster.move_keys(slot, source, target)
        assert store.count("half") == 100  # asked at the importing server
        store.upsert("half", [Item("there")], {"g": code_of(7)})
        cluster.end_move(slot, source, target)
        found = in_use(store, "half")
    assert len(found) == 101
    assert found["there"] == 7


def test_nothing_is_lost_while_slots_go_to_and_fro(cluster: Cluster) -> None:
    name, stop = "moved", threading.Event()
    kept: dict[str, int] = {}
    counts = {"written": 0, "read": 0, "moved": 0}

    def write(writer: int) -> None:
        rng = random.Random(writer)
        with CodeStore.connect(cluster.url, timeout=20.0) as store:
            while not stop.is_set():
                item_id, number = f"{writer} {rng.randrange(300)}", rng.randrange(65_536)
                if rng.random() < 0.2:
                    kept.pop(item_id, None)
                    store.delete(name, [item_id])
                else:
                    store.upsert(name, [Item(item_id, (1,))], {"g": code_of(number)})
                    kept[item_id] = number
                counts["written"] += 1

    def read() -> None:
        with CodeStore.connect(cluster.url, timeout=20.0) as store:
            while not stop.is_set():
                found = in_use(store, name)
                assert len(found) >= 500, f"half a collection: {len(found)}"
                assert found.keys() >= {f"fixed {number}" for number in range(500)}
                counts["read"] += 1

    def move() -> None:
        rng = random.Random(0)
        keys = [collection_keys(name)[0], *(segment_keys(name, segment)[0] for segment in range(SEGMENTS))]
        while not stop.is_set():
            key = rng.choice(keys)
            slot, source = slot_of(key), cluster.holder(key)
            target = rng.choice([number for number in range(4) if number != source])
            cluster.begin_move(slot, source, target)
            for most in (1, 1, 1_000):
                time.sleep(rng.random() * 0.05)
                cluster.move_keys(slot, source, target, most)
            time.sleep(rng.random() * 0.05)
            cluster.end_move(slot, source, target)
            counts["moved"] += 1

    with CodeStore.connect(cluster.url) as store:
        store.create(name, TAXONOMY, segments=SEGMENTS)
        store.begin(name, REF)
        fixed = [Item(f"fixed {number}", (0,)) for number in range(500)]
        store.upsert(name, fixed, {"g": np.concatenate([code_of(number) for number in range(500)])})
        works = [lambda: write(1), lambda: write(2), read, move, lambda: end_after(stop, SECONDS)]
        at_once(works, stop.set)
        found = in_use(store, name)
        tallies = store.tallies(name)
    assert {item_id: code for item_id, code in found.items() if not item_id.startswith("fixed")} == kept
    assert sum(tally.items for tally in tallies) == len(kept) + 500
    assert min(counts.values()) > 3, counts
