"""Figures of a collection and its servers, on every back end: what was counted already, and nothing that is looked through."""

import math
import time
from typing import Any

import pytest

from services.codestore import CodeStore, Item
from services.codestore.backfill import Turn
from services.codestore.figures import CollectionFigures
from tests.support.store_scenarios import filled, numbered, random_codes, ref, served

pytestmark = pytest.mark.system


def counted(store: CodeStore, name: str) -> tuple[int, int, int]:
    told = store.collection_figures(name)
    return told.items, told.lacking, told.behind


def test_a_collection_is_counted(store: CodeStore, name: str) -> None:
    assert store.collection_figures(name) == CollectionFigures(0, 0, 0, 3)  # each segment was made
    served(store, name, "g", numbered(100))
    assert counted(store, name) == (100, 0, 0)
    store.upsert(name, [Item(f"new {n}", uri="u") for n in range(7)], {"g": random_codes(7)})
    store.upsert(name, [Item(f"later {n}", uri="u") for n in range(5)])
    assert counted(store, name) == (112, 5, 0)
    with Turn(store, name, "g", "somebody") as turn:
        items = [item for some in store.lacking(name, "g") for item in some][:2]
        store.quarantine(name, "g", turn.token, [(item, "bad") for item in items])
    assert counted(store, name) == (112, 3, 0)
    store.begin(name, ref("h"))
    store.fill(name, "h", numbered(60), None)
    assert counted(store, name) == (112, 3, 72)  # of the API's items it has none either
    store.seal(name, "h")
    assert store.collection_figures(name).behind == 72
    store.put_codes(name, "h", [item.id for item in numbered(60)], random_codes(60))
    assert store.collection_figures(name).behind == 12
    changes = store.collection_figures(name).changes
    assert changes == sum(tally.position + 1 for tally in store.tallies(name))  # none is trimmed yet
    store.discard(name, "h")
    assert store.collection_figures(name).behind == 0


def test_servers_tell_memory_and_persistence(store: CodeStore) -> None:
    told = store.server_figures()
    if store.server.url == "memory://":
        assert math.isnan(told.memory)
        assert told.persists == 0.0
        return
    infos = [
        dict(line.split(b":", 1) for line in reply.splitlines() if b":" in line)
        for _, reply in store.server.on_primaries("INFO")
    ]
    assert 0 < told.memory <= 1.5 * max(int(info[b"used_memory"]) for info in infos)
    assert told.memory_most == min(int(info[b"maxmemory"]) or math.inf for info in infos)
    assert told.saved == min(int(info[b"rdb_last_save_time"]) for info in infos)
    assert 0 <= time.time() - told.saved < 86_400
    assert told.persists == min(int(info[b"aof_enabled"]) for info in infos)
    assert store.certificate_expires() == math.inf


def test_what_is_asked_does_not_grow_with_the_items(
    store: CodeStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the number of calls nor the bytes of their answers, but for the digits of a count."""
    filled(store, name, "g", numbered(20))
    asked: list[str] = []
    server: Any = store.server
    for method in ("call_all", "command", "on_primaries"):
        plain = getattr(server, method)

        def counting(*words: Any, plain: Any = plain, **more: Any) -> Any:
            asked.append(repr(found := plain(*words, **more)))
            return found

        monkeypatch.setattr(server, method, counting)

    def costs() -> tuple[int, int]:
        asked.clear()
        store.collection_figures(name)
        return len(asked), sum(map(len, asked))

    calls, size = costs()
    store.upsert(name, numbered(3000, 20), {"g": random_codes(3000)})
    more_calls, more_size = costs()
    assert more_calls == calls
    assert more_size < size + 200
