"""A server whose memory is full: what frees memory works, and says so where it does not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item, StoreUnavailableError
from taxohash.taxonomy import Taxonomy

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
COUNT = 10_000


@pytest.fixture
def full(tmp_path: Path, server_binary: Path) -> Iterator[tuple[CodeStore, redis.Redis, list[str]]]:
    """A store with three published generations, filled with further items until the server takes no more."""
    with (
        EmbeddedServer(tmp_path / "data", binary=server_binary, options={"maxmemory": "32mb"}) as server,
        CodeStore.connect(server.url) as store,
        redis.Redis.from_url(server.url) as client,
    ):
        store.create("c", TAXONOMY, segments=2)
        items = [Item(f"item {number}", (number % 3,)) for number in range(COUNT)]
        codes = np.random.default_rng(0).integers(0, 256, (COUNT, 128), np.uint8)
        for name in ("a", "b", "c"):
            store.begin("c", GenerationRef(name, 1024, TAXONOMY.sha256))
            store.fill("c", name, items, codes)
            store.seal("c", name, COUNT)
            store.publish("c", name)
        more: list[str] = []
        with pytest.raises(StoreUnavailableError, match="gc"):
            fill(store, more)
        yield store, client, more


def fill(store: CodeStore, written: list[str]) -> None:
    for number in range(0, 20_000, 20):
        ids = [f"more {number + i}" for i in range(20)]
        store.upsert("c", [Item(item_id, uri="x" * 2_000) for item_id in ids])
        written += ids


@pytest.mark.parametrize("flushed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_gc_discard_delete_and_rollback_work_on_a_full_server(
    full: tuple[CodeStore, redis.Redis, list[str]], flushed: bool
) -> None:
    store, client, more = full
    used = client.info("memory")["used_memory"]
    if flushed:
        client.function_flush()
        used = client.info("memory")["used_memory"]
    client.config_set("maxmemory", used - 200_000)  # far over it
    assert store.gc("c").generations == ("a",)
    assert store.rollback("c") == "b"
    store.discard("c", "c")
    assert store.delete("c", more[:50]).count("deleted") == 50
    assert client.info("memory")["used_memory"] < used - 500_000
    client.config_set("maxmemory", "64mb")
    assert store.upsert("c", [Item("again")]).count("added") == 1
    assert [state.ref.id for state in store.generations("c")] == ["b"]
    assert len(store.snapshot("c").ids) == COUNT


def test_reads_go_on_and_nothing_refused_is_half_written(
    full: tuple[CodeStore, redis.Redis, list[str]],
) -> None:
    store, _, more = full
    before = store.tallies("c")
    with pytest.raises(StoreUnavailableError, match="maxmemory"):
        store.upsert("c", [Item(f"late {number}", uri="y" * 2_000) for number in range(200)])
    assert store.tallies("c") == before
    assert COUNT + len(more) <= store.count("c") < COUNT + len(more) + 20
    assert len(store.snapshot("c").ids) == COUNT
