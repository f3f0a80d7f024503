"""The whole application: which searches are counted, what a scrape tells of them, and what canaries find."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, ItemLabels, Snapshot
from services.codestore.pictures import digest_of
from services.metrics import REGISTRIES
from services.retrieval import identical
from taxohash.codes import bit_health, unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from taxohash.release.recall import Catalogue, canary_codes, recall
from tests.support.application import Client, filled, ref_of, settings_of
from tests.support.generations import BITS, TAXONOMY, pictures, png
from tests.support.waiting import until

ITEMS = pictures(120, seed=21)
OTHERS = pictures(6, seed=22)
LABELS = np.arange(len(ITEMS), dtype=np.int32) % 5


@pytest.fixture(scope="module")
def codes(watched: Hasher) -> Any:
    return watched.encode(decode(picture) for picture in ITEMS)


@pytest.fixture(scope="module")
def client(watched: Hasher, codes: Any) -> Iterator[Client]:
    snapshot = Snapshot(
        generation=ref_of(watched),
        ids=np.array([f"item {row}" for row in range(len(ITEMS))], object),
        labels=ItemLabels.of(LABELS, np.ones(len(ITEMS), np.int64)),
        codes=codes,
        position=(0,),
    )
    store = CodeStore.connect("memory://")
    filled(store, snapshot, [digest_of(picture) for picture in ITEMS])
    made = Client(settings_of(watched, canary_seconds=0.05), lambda seconds: store)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(identical, "_SECONDS", 20.0)
        yield made
    made.close()


def value(name: str, watched: Hasher, **labels: str) -> float:
    found = REGISTRIES["retrieval"].get_sample_value(name, labels | {"generation": watched.generation.id})
    return -1.0 if found is None else found


@pytest.fixture
def counted(client: Client, watched: Hasher) -> Callable[[], float]:
    """How many were, since the test began."""
    before = value("taxohash_queries_total", watched)
    return lambda: value("taxohash_queries_total", watched) - before


def text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.mark.parametrize("ranking", ["weighted", "hamming"])
def test_searches_by_picture_are_counted_by_what_is_nearest(
    client: Client, watched: Hasher, codes: Any, counted: Callable[[], float], ranking: str
) -> None:
    health = client.service.served.engine.health  # type: ignore[union-attr]
    before = health.tally.counted()
    nearest = [0] * (BITS + 1)
    bits = np.zeros(BITS, np.int64)
    for picture in OTHERS:
        assert client.search(picture, ranking=ranking, k="2").status_code == 200
        code = unpack(watched.encode([decode(picture)]), BITS)
        nearest[(unpack(codes, BITS) != code).sum(axis=1).min()] += 1
        bits += code[0]
    assert counted() == len(OTHERS)
    after = health.tally.counted()
    assert (after.distances - before.distances).tolist() == nearest
    assert (after.bits - before.bits).tolist() == bits.tolist()


def test_each_query_of_a_batch_is_counted(client: Client, counted: Callable[[], float]) -> None:
    queries = [{"image": text(picture)} for picture in OTHERS[:3]] + [{"id": "item 3"}, {"image": "AAAA"}]
    assert client.ask(queries=queries).status_code == 200
    assert counted() == 3


def test_what_changes_the_nearest_is_not_counted(client: Client, counted: Callable[[], float]) -> None:
    picture = OTHERS[0]
    assert client.search(picture, within="warm").status_code == 200
    assert client.search(picture, radius="20").status_code == 200
    assert client.ask(id="item 3").status_code == 200
    assert client.ask(code="00" * 3).status_code == 200
    assert client.search(b"no picture").status_code == 422
    assert counted() == 0
    assert client.search(picture, group_by="kind", k="1", explain="true").status_code == 200
    assert counted() == 1


def test_the_picture_of_an_item_is_not_counted(client: Client, counted: Callable[[], float]) -> None:
    assert client.search(ITEMS[7]).json()["results"][0]["identical"]
    assert counted() == 0


def test_one_that_only_has_its_code_is(client: Client, watched: Hasher, counted: Callable[[], float]) -> None:
    pixels = np.array(decode(ITEMS[7]).convert("L"))
    pixels[0, 0] ^= 1
    like = png(pixels)
    assert (watched.encode([decode(like)]) == watched.encode([decode(ITEMS[7])])).all()
    before = value("taxohash_nearest_distance_bucket", watched, le="0.0")
    assert "identical" not in client.search(like).json()["results"][0]
    assert counted() == 1
    assert value("taxohash_nearest_distance_bucket", watched, le="0.0") == before + 1


def test_canaries_find_what_they_find_by_the_definition(client: Client, watched: Hasher, codes: Any) -> None:
    until(lambda: value("taxohash_canaries_asked_timestamp_seconds", watched) > 0)
    labels = [[label] for label in LABELS.tolist()]
    asked = canary_codes(watched)
    assert asked is not None
    held = Catalogue([*map(str, range(len(ITEMS)))], labels, TAXONOMY.paths, codes)
    wanted = recall(held, asked, BITS, TAXONOMY.depth).mean(axis=0)
    for level, own in zip(TAXONOMY.levels, wanted.tolist(), strict=True):
        assert value("taxohash_canary_recall", watched, level=level) == pytest.approx(own)
    assert 0 < wanted[-1] < 1
    entropy = bit_health(codes, BITS).entropy
    assert value("taxohash_code_entropy", watched) == pytest.approx(entropy)
