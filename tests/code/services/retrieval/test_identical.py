"""A picture of the catalogue is found first among all that have its code, and a store that is away changes nothing else."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, Item, Snapshot
from services.codestore.pictures import digest_of
from services.retrieval import identical
from services.retrieval.identical import Identical
from services.retrieval.late_store import LateStore
from services.retrieval.schemas.search import Answer
from services.retrieval.service import Service
from services.retrieval.workers import Workers
from taxohash.generation.hasher import Hasher
from taxohash.images import decode, pixel_hash
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import pictures
from tests.support.pictures import encoded

PICTURE = pictures(1, seed=7)[0]
LIKE = 40  # items that have its code
ROW = 36  # of the one that has the picture


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a search waits for the store, on a machine that does much else."""
    monkeypatch.setattr(identical, "_SECONDS", 20.0)


@pytest.fixture(scope="module")
def crowd(snapshot: Snapshot, hasher: Hasher) -> Snapshot:
    codes = snapshot.codes.copy()
    codes[:LIKE] = hasher.encode([decode(PICTURE)])
    return replace(snapshot, codes=codes)


def store_of(crowd: Snapshot) -> CodeStore:
    digests = [""] * len(crowd.ids)
    digests[ROW] = digest_of(PICTURE)
    digests[ROW + 1] = digest_of(b"another")
    store = CodeStore.connect("memory://")
    filled(store, crowd, digests)
    return store


@pytest.fixture(scope="module")
def store(crowd: Snapshot) -> CodeStore:
    return store_of(crowd)


@pytest.fixture(scope="module")
def client(hasher: Hasher, store: CodeStore) -> Iterator[Client]:
    made = Client(settings_of(hasher), lambda seconds: store)
    yield made
    made.close()


def ask(client: Client, **fields: Any) -> list[dict[str, Any]]:
    told = client.ask(image=base64.b64encode(PICTURE).decode(), **fields).json()
    Answer.model_validate(told)
    results: list[dict[str, Any]] = told["results"]
    assert len({result["id"] for result in results}) == len(results)
    return results


@pytest.mark.parametrize("k", [1, 10, LIKE, 300])
@pytest.mark.parametrize("ranking", ["weighted", "hamming"])
@pytest.mark.parametrize("radius", [None, 0, 20])
def test_it_comes_first_and_the_others_as_ever(
    client: Client, k: int, ranking: str, radius: int | None
) -> None:
    results = ask(client, k=k, ranking=ranking, radius=radius)
    assert [result.get("identical", False) for result in results] == [True] + [False] * (len(results) - 1)
    assert results[0]["id"] == f"item {ROW}"
    assert results[0]["distance"] == 0
    others = [result["id"] for result in results[1:] if result["distance"] == 0]
    assert others == [f"item {row}" for row in range(LIKE) if row != ROW][: k - 1]
    assert len(results) == min(k, LIKE if radius == 0 else 300)


def test_a_filter_that_leaves_it_out_leaves_it_out(client: Client) -> None:
    assert ROW % 5 == 1  # crimson
    assert ask(client, within="warm/red")[0]["identical"]
    assert not any("identical" in result for result in ask(client, within="cold"))


def test_it_is_the_same_picture_not_the_same_code(client: Client) -> None:
    bytes_more = PICTURE + b"\0"  # decoded alike
    results = client.search(bytes_more).json()["results"]
    assert results[0]["distance"] == 0
    assert not any("identical" in result for result in results)
    by_item = client.ask(id=f"item {ROW}").json()["results"]
    assert not any("identical" in result for result in by_item)


def test_a_picture_of_equal_pixels_is_the_same_whatever_its_bytes(hasher: Hasher, crowd: Snapshot) -> None:
    reader, code = hasher.generation.preprocessing.reader, crowd.codes[:1]
    image, store = decode(PICTURE), store_of(crowd)
    other = image.copy()
    other.paste(int(np.asarray(image)[0, 0]) ^ 1, (0, 0, 1, 1))
    store.upsert(
        "default",
        [
            Item("alike", pixels=pixel_hash(image, reader)),
            Item("other", pixels=pixel_hash(other, reader)),
            Item("of before", picture=digest_of(PICTURE)),
            Item("none"),
        ],
        {hasher.generation.id: np.repeat(code, 4, axis=0)},
    )
    client = Client(settings_of(hasher), lambda seconds: store)
    told = {
        picture: [
            result["id"]
            for result in client.search(picture, k="300").json()["results"]
            if result.get("identical")
        ]
        for picture in (PICTURE, encoded(image, "BMP"), encoded(other, "WEBP", lossless=True))
    }
    assert list(told.values()) == [[f"item {ROW}", "alike", "of before"], ["alike"], ["other"]]
    client.close()


@pytest.mark.parametrize("k", ["1", "10", "300"])
def test_where_most_items_have_one_code_a_twin_is_found_however_many_rows_are_before_it(
    hasher: Hasher, crowd: Snapshot, k: str
) -> None:
    store, code = CodeStore.connect("memory://"), crowd.codes[:1]
    crowded = replace(crowd, codes=np.repeat(code, len(crowd.ids), axis=0))
    filled(store, crowded, [""] * len(crowd.ids))
    names = [*crowd.ids, *(f"other {row:03}" for row in range(1000))]
    many = [Item(name, pixels=f"{row:016x}"[::-1]) for row, name in enumerate(names)]
    store.upsert("default", many, {hasher.generation.id: np.repeat(code, len(many), axis=0)})
    late = Item("late", pixels=pixel_hash(decode(PICTURE), hasher.generation.preprocessing.reader))
    written = store.upsert("default", [late], {hasher.generation.id: code})
    client = Client(settings_of(hasher), lambda seconds: store)
    results = client.search(PICTURE, k=k, token=str(written.token)).json()["results"]
    assert [result["id"] for result in results if result.get("identical")] == ["late"] == [results[0]["id"]]
    assert len(results) == int(k)
    client.close()


def test_what_was_written_since_is_seen(hasher: Hasher, crowd: Snapshot) -> None:
    own, code = hasher.generation.id, crowd.codes[:1]
    store = store_of(crowd)
    client = Client(settings_of(hasher), lambda seconds: store)
    assert ask(client)[0]["id"] == f"item {ROW}"
    written = store.upsert("default", [Item("new", picture=digest_of(PICTURE))], {own: code})
    results = ask(client, token=str(written.token))
    assert [result["id"] for result in results if result.get("identical")] == [f"item {ROW}", "new"]
    written = store.delete("default", [f"item {ROW}"])
    results = ask(client, token=str(written.token))
    assert [result["id"] for result in results if result.get("identical")] == ["new"]
    client.close()


def test_a_store_that_is_away_marks_nothing_and_searches_go_on(hasher: Hasher, store: CodeStore) -> None:
    away: Any = NoStore()

    def ask_another(service: Service) -> None:
        service.store = LateStore(lambda: away)

    client = Client(settings_of(hasher), lambda seconds: store, prepare=ask_another)
    results = ask(client)
    assert [result["id"] for result in results] == [f"item {row}" for row in range(10)]
    assert not any("identical" in result for result in results)
    client.close()


class Counting:
    """A store that counts its calls, and waits as long as it is told."""

    def __init__(self) -> None:
        self.calls = 0
        self.go_on = threading.Event()

    def items(self, collection: str, ids: list[str], generation: str) -> list[Item | None]:
        self.calls += 1
        self.go_on.wait(20)
        return [Item(item, picture=digest_of(item.encode())) if item != "gone" else None for item in ids]


def test_what_the_store_said_is_kept_while_nothing_changes() -> None:
    store: Any = Counting()
    store.go_on.set()
    workers = Workers("store", 1, 4)
    known = Identical(lambda: store, workers, "c")

    async def ask() -> None:
        assert await known.among(b"a", "", ["a", "b", "gone"], "g", 1) == {"a"}
        assert await known.among(b"b", "", ["a", "b"], "g", 1) == {"b"}
        assert store.calls == 1
        assert await known.among(b"c", "", ["a", "c"], "g", 1) == {"c"}
        assert store.calls == 2
        assert await known.among(b"a", "", ["a"], "g", 2) == {"a"}
        assert await known.among(b"a", "", ["a"], "h", 2) == {"a"}
        assert store.calls == 4

    asyncio.run(ask())
    workers.close()


def test_a_store_that_stands_still_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identical, "_SECONDS", 0.1)
    store: Any = Counting()
    workers = Workers("store", 1, 4)
    known = Identical(lambda: store, workers, "c")

    async def ask() -> None:
        for _ in range(5):
            assert await known.among(b"a", "", ["a"], "g", 1) == frozenset()
        assert store.calls == 1
        store.go_on.set()

    asyncio.run(ask())
    workers.close()
