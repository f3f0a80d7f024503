"""From layout 3 to layout 4, on real servers, of collections that the release before has made."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from redis.cluster import RedisCluster

from services.codestore.pictures import Pictures
from services.codestore.records import GenerationRef
from services.codestore.upgrade import finish, upgrade
from services.codestore.upgrade.layout3 import Codes, Layout3, NothingOldError, OldItem
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support import layout3

pytestmark = pytest.mark.system
SMALL = layout3.read()["expected"]["small"]


@pytest.fixture(params=["redis_url", "redis8_url", "cluster_url"])
def commands(request: pytest.FixtureRequest) -> Iterator[layout3.RedisCommands]:
    url = request.getfixturevalue(request.param)
    kind: Any = RedisCluster if request.param == "cluster_url" else redis.Redis
    with kind.from_url(url) as client:
        yield layout3.RedisCommands(client)
        for name in layout3.read()["expected"]:
            for key in [*layout3.keys_of(name), f"taxohash:{{{name}}}:upgrade"]:
                client.execute_command("DEL", key)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures.open(tmp_path / "pictures")


class CutError(Exception):
    """The upgrade was cut short."""


@dataclass
class Begun:
    ref: GenerationRef
    state: str = "building"
    items: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)


@dataclass
class NewStore:
    """Stands for the store that writes layout 4: it keeps what it is given, and may be cut before a call."""

    begun: dict[str, Begun] = field(default_factory=dict)
    upserted: dict[str, Any] = field(default_factory=dict)
    taxonomy: Taxonomy | None = None
    published: list[str] = field(default_factory=list)
    calls: int = 0
    cut_at: int = -1

    def _called(self) -> None:
        self.calls += 1
        if self.calls == self.cut_at:
            raise CutError

    def create(self, collection: str, taxonomy: Taxonomy, segments: int) -> None:
        self._called()
        self.taxonomy = taxonomy

    def generations(self, collection: str) -> Sequence[Begun]:
        self._called()
        return list(self.begun.values())

    def begin(self, collection: str, ref: GenerationRef) -> None:
        self._called()
        self.begun.setdefault(ref.id, Begun(ref))

    def fill(self, collection: str, generation_id: str, items: Sequence[Any], codes: Codes | None) -> None:
        self._called()
        begun = self.begun[generation_id]
        assert begun.state == "building"
        begun.items |= {item.id: item for item in items}
        if codes is not None:
            begun.codes |= {item.id: code.tobytes() for item, code in zip(items, codes, strict=True)}

    def upsert(self, collection: str, items: Sequence[Any]) -> None:
        self._called()
        self.upserted |= {item.id: item for item in items}

    def seal(self, collection: str, generation_id: str) -> None:
        self._called()
        assert self.begun[generation_id].state == "building"
        self.begun[generation_id].state = "sealed"

    def publish(self, collection: str, generation_id: str, *, who: str, why: str) -> None:
        self._called()
        assert self.begun[generation_id].state == "sealed"
        for other in self.begun.values():
            other.state = "retired" if other.state == "published" else other.state
        self.begun[generation_id].state = "published"
        self.published.append(generation_id)


def expected(items: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {
        item["id"]: (tuple(item["labels"]), b64decode(item["thumbnail"]), item["uri"], tuple(item["tags"]))
        for item in items
    }


def old_items(old: Layout3) -> list[OldItem]:
    return [
        item
        for number in range(old.segments)
        for batch in old.batches(number, old.segment(number).rows)
        for item in batch.items
    ]


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["small", "tall", "empty"])
def test_everything_is_read_as_the_release_before_had_it(commands: layout3.RedisCommands, name: str) -> None:
    layout3.load(commands, name)
    wanted = layout3.read()["expected"][name]
    old = Layout3.open(commands, name)
    assert old.taxonomy == Taxonomy.from_json(layout3.read()["taxonomy"])
    assert list(old.history) == wanted["history"]
    assert {ref.id: ref.bits for ref in old.generations} == {
        generation: found["bits"] for generation, found in wanted["generations"].items()
    }
    items = old_items(old)
    found = {item.id: (item.labels, item.thumbnail, item.uri, item.tags) for item in items}
    assert (len(found), found) == (len(items), expected(wanted["items"]))
    assert all(1_700_000_000 < item.updated < 2_000_000_000 for item in items)
    codes: dict[str, dict[str, bytes]] = {ref.id: {} for ref in old.generations}
    for number in range(old.segments):
        for batch in old.batches(number, old.segment(number).rows):
            for generation in codes:
                for i in np.flatnonzero(batch.coded[generation]):
                    codes[generation][batch.items[i].id] = batch.codes[generation][i].tobytes()
    for generation, found_codes in wanted["generations"].items():
        assert codes[generation] == {key: b64decode(code) for key, code in found_codes["codes"].items()}


def test_a_removed_item_is_not_read(commands: layout3.RedisCommands) -> None:
    layout3.load(commands, "small")
    old = Layout3.open(commands, "small")
    for number in range(3):
        commands.client.hdel(f"taxohash:{{small:{number}}}:rows", "several")
    assert "several" not in {item.id for item in old_items(old)}
    assert len(old_items(old)) == len(SMALL["items"]) - 1


def test_what_is_not_of_layout_3_is_told(commands: layout3.RedisCommands) -> None:
    with pytest.raises(NothingOldError, match="there is no collection 'nowhere' of the release before"):
        Layout3.open(commands, "nowhere")
    layout3.load(commands, "empty")
    commands.client.hset("taxohash:{empty}:collection", "layout", "2")
    with pytest.raises(TaxohashError, match="has layout 2, only 3 is upgraded"):
        Layout3.open(commands, "empty")


# -- copying ---------------------------------------------------------------------------------------


def check(store: NewStore, pictures: Pictures) -> None:
    """All of `small` is in the new store: what is served, what a roll-back goes to, what is being built."""
    assert store.taxonomy == Taxonomy.from_json(layout3.read()["taxonomy"])
    assert store.published == ["g2", "g3"]
    states = {name: begun.state for name, begun in store.begun.items()}
    assert states == {"g2": "retired", "g3": "published", "half": "building", "begun": "building"}
    everything = expected(SMALL["items"])
    for name, begun in store.begun.items():
        codes = {key: b64decode(code) for key, code in SMALL["generations"][name]["codes"].items()}
        assert begun.codes == codes
        assert begun.ref.bits == SMALL["generations"][name]["bits"]
        assert begun.items.keys() == codes.keys() | ({"late"} if name == "half" else set())
        for key, item in begun.items.items():
            thumbnail = pictures.get(item.thumbnail) if item.thumbnail else b""
            assert (item.labels, thumbnail, item.uri, item.tags) == everything[key]
    assert set().union(*(begun.items for begun in store.begun.values())) == set(everything)


def test_a_collection_is_copied_and_published(commands: layout3.RedisCommands, pictures: Pictures) -> None:
    layout3.load(commands, "small")
    store, told = NewStore(), list[tuple[int, int]]()
    upgrade(commands, store, pictures, "small", lambda done, rows: told.append((done, rows)))
    check(store, pictures)
    assert not store.upserted
    rows = len(SMALL["items"])
    assert told == sorted(told)
    assert told[-1] == (rows, rows)
    calls = store.calls
    upgrade(commands, store, pictures, "small")
    check(store, pictures)
    assert store.calls == calls


def test_a_collection_that_went_on_since_is_left_alone(
    commands: layout3.RedisCommands, pictures: Pictures
) -> None:
    layout3.load(commands, "small")
    store = NewStore()
    upgrade(commands, store, pictures, "small")
    del store.begun["g2"]  # by gc
    upgrade(commands, store, pictures, "small")
    assert store.published == ["g2", "g3"]
    assert "g2" not in store.begun


def test_a_collection_of_which_nothing_is_published_is_copied_too(
    commands: layout3.RedisCommands, pictures: Pictures
) -> None:
    layout3.load(commands, "empty")
    store = NewStore()
    upgrade(commands, store, pictures, "empty")
    assert (store.begun, store.upserted, store.published) == ({}, {}, [])


def test_items_that_no_generation_has_become_the_apis_once(
    commands: layout3.RedisCommands, pictures: Pictures
) -> None:
    layout3.load(commands, "tall")
    commands.client.setbit("taxohash:{tall:0}:coded:only", 4090, 0)
    store = NewStore()
    upgrade(commands, store, pictures, "tall")
    assert (list(store.upserted), len(store.begun["only"].codes)) == ([f"{4090:x}"], 4099)
    store.upserted.clear()  # such as by a delete
    upgrade(commands, store, pictures, "tall")
    assert store.upserted == {}


def test_old_keys_stay_until_every_item_is_brought_along(
    commands: layout3.RedisCommands, pictures: Pictures
) -> None:
    layout3.load(commands, "tall")
    commands.client.setbit("taxohash:{tall:0}:coded:only", 4090, 0)
    store = NewStore()
    upgrade(commands, store, pictures, "tall")
    commands.client.delete("taxohash:{tall}:upgrade")
    cut = NewStore(cut_at=store.calls)
    with pytest.raises(CutError):
        upgrade(commands, cut, pictures, "tall")
    assert (cut.published, cut.upserted) == (["only"], {})
    with pytest.raises(TaxohashError, match="is not upgraded to its end"):
        finish(commands, cut, "tall")
    upgrade(commands, cut, pictures, "tall")
    assert list(cut.upserted) == [f"{4090:x}"]
    assert finish(commands, cut, "tall") == len(layout3.keys_of("tall"))


def test_an_upgrade_that_is_cut_anywhere_goes_on(commands: layout3.RedisCommands, pictures: Pictures) -> None:
    layout3.load(commands, "small")
    store = NewStore()
    upgrade(commands, store, pictures, "small")
    calls = store.calls
    for cut in range(1, calls + 1):
        commands.client.delete("taxohash:{small}:upgrade")
        store = NewStore(cut_at=cut)
        with pytest.raises(CutError):
            upgrade(commands, store, pictures, "small")
        upgrade(commands, store, pictures, "small")
        check(store, pictures)


def test_what_is_written_while_it_is_copied_is_copied_again(
    commands: layout3.RedisCommands, pictures: Pictures
) -> None:
    layout3.load(commands, "small")
    store = NewStore()
    item = SMALL["items"][0]["id"]
    number = next(n for n in range(3) if commands.client.hexists(f"taxohash:{{small:{n}}}:rows", item))
    row = int(commands.client.hget(f"taxohash:{{small:{number}}}:rows", item))

    def write(done: int, rows: int) -> None:
        """As an index step of the release before would: once, after the segment was copied."""
        if done == rows and not store.published and not commands.client.hexists("written", "once"):
            commands.client.hset("written", "once", 1)
            commands.client.hset(f"taxohash:{{small:{number}}}:uris", row, "changed")
            commands.client.hincrby(f"taxohash:{{small:{number}}}:state", "position", 1)

    upgrade(commands, store, pictures, "small", write)
    commands.client.delete("written")
    assert store.begun["g3"].items[item].uri == "changed"


# -- removing --------------------------------------------------------------------------------------


def left(commands: layout3.RedisCommands, name: str) -> list[str]:
    return [key for key in layout3.keys_of(name) if commands.client.exists(key)]


def test_the_old_keys_are_removed_and_no_others(commands: layout3.RedisCommands, pictures: Pictures) -> None:
    for name in ("small", "tall"):
        layout3.load(commands, name)
    new_keys = [
        "taxohash:{small}",
        "taxohash:{small}:audit",
        "taxohash:{small:0}",
        "taxohash:{small:0}:changes",
    ]
    for key in new_keys:
        commands.client.set(key, "stays")
    store = NewStore()
    upgrade(commands, store, pictures, "small")
    assert finish(commands, store, "small") == len(layout3.keys_of("small"))
    assert left(commands, "small") == []
    assert left(commands, "tall") == layout3.keys_of("tall")
    assert all(commands.client.exists(key) for key in new_keys)
    assert not commands.client.exists("taxohash:{small}:upgrade")
    for key in new_keys:
        commands.client.delete(key)
    with pytest.raises(NothingOldError):
        finish(commands, store, "small")


def test_what_is_not_copied_is_not_removed(commands: layout3.RedisCommands, pictures: Pictures) -> None:
    layout3.load(commands, "small")
    store = NewStore()
    with pytest.raises(TaxohashError, match="is not upgraded to its end: upgrade it first"):
        finish(commands, store, "small")
    upgrade(commands, store, pictures, "small")
    commands.client.hincrby("taxohash:{small:1}:state", "position", 1)
    for call in (
        lambda: finish(commands, store, "small"),
        lambda: upgrade(commands, store, pictures, "small"),
    ):
        with pytest.raises(TaxohashError, match="1 of 3 segments of collection 'small' were written"):
            call()
    assert left(commands, "small") == layout3.keys_of("small")
    assert finish(commands, store, "small", give_up_changes=True) == len(layout3.keys_of("small"))


class CutCommands(layout3.RedisCommands):
    """Fails at one of its UNLINKs."""

    def __init__(self, client: Any, cut_at: int) -> None:
        super().__init__(client)
        self.left = cut_at

    def command(self, *parts: str | bytes | int, key: str | None = None) -> Any:
        self.left -= parts[0] == "UNLINK"
        if self.left < 0:
            raise CutError
        return super().command(*parts, key=key)


def test_a_removal_that_is_cut_anywhere_goes_on(commands: layout3.RedisCommands, pictures: Pictures) -> None:
    layout3.load(commands, "small")
    store = NewStore()
    upgrade(commands, store, pictures, "small")
    record = commands.client.hgetall("taxohash:{small}:upgrade")
    for cut in range(0, 75, 7):
        layout3.load(commands, "small")
        commands.client.delete("taxohash:{small}:upgrade")
        commands.client.hset("taxohash:{small}:upgrade", mapping=record)
        try:
            finish(CutCommands(commands.client, cut), store, "small")
        except CutError:
            with suppress(NothingOldError):  # all was gone but the record
                finish(commands, store, "small")
        assert left(commands, "small") == []
        assert not commands.client.exists("taxohash:{small}:upgrade")
