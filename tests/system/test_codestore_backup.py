"""Backup, restore, verify and repair on every server, alone and as a cluster, while others write."""

import threading
import uuid
from pathlib import Path

import pytest
import redis

from services.codestore import CodeStore
from services.codestore.backup import backup, copy_of, restore
from services.codestore.repair import apply, backup_side, plan
from services.codestore.verify import verify
from tests.support.stored import fill_collection, set_field, some_codes, some_items

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "server", ["redis_url", "redis8_url", "redis7_url", "cluster_url", "cluster8_url", "cluster7_url"]
)
def test_a_collection_goes_from_one_server_to_another(
    server: str, request: pytest.FixtureRequest, redis_url: str, tmp_path: Path
) -> None:
    name, again = f"c{uuid.uuid4().hex[:8]}", f"r{uuid.uuid4().hex[:8]}"
    with CodeStore.connect(request.getfixturevalue(server)) as store, CodeStore.connect(redis_url) as other:
        fill_collection(store, name, segments=7, count=1500)
        stop = threading.Event()

        def write() -> None:
            first = 0
            while not stop.is_set():
                first = (first + 37) % 1400
                store.upsert(name, some_items(range(first, first + 40), first), {"g1": some_codes(40, first)})
                store.delete(name, [item.id for item in some_items(range(first, first + 3))])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = backup(store, name, tmp_path / "b")
            assert verify(store, name).findings == ()
        finally:
            stop.set()
            writer.join()
        restored = restore(other, tmp_path / "b", again, publish=True)
        assert verify(other, again).findings == ()
        assert other.published(again) == store.published(name)
        assert [files.sums["g1"] for files in made.manifest.segments] == [
            tally.sums["g1"] for tally in other.tallies(again)
        ]
        assert restored.items == other.count(again)
        report = verify(store, name, [copy_of(tmp_path / "b")])
        assert report.findings == ()
        assert len(report.notes) == 1  # it was written since


def test_a_field_that_was_changed_by_hand_is_mended(redis_url: str, tmp_path: Path) -> None:
    name = f"c{uuid.uuid4().hex[:8]}"
    with CodeStore.connect(redis_url) as store, redis.Redis.from_url(redis_url) as client:
        fill_collection(store, name, segments=3, count=1500)
        backup(store, name, tmp_path / "b")
        key = store.described(name)[0].on(1, "").keys[0]
        value = client.hget(key, "gg1:2")
        set_field(store, key, b"gg1:2", value[:-1] + bytes([value[-1] ^ 1]))
        set_field(store, key, b"open", b"")
        assert verify(store, name).findings
        planned = plan(store, name, [backup_side(tmp_path / "b")])
        assert planned.hopeless == ()
        assert apply(store, planned) == ()
        assert client.hget(key, "gg1:2") == value
