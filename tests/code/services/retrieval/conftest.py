"""The whole application in this process: a made generation, its items in a store in memory, no server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, ItemLabels, Snapshot
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.application import Client, filled, ref_of, settings_of
from tests.support.generations import TAXONOMY, make_generation, pictures

ITEMS = 300
TAGS = ("red", "summer", "größe 9")
LABELS = np.arange(ITEMS, dtype=np.int32) % (len(TAXONOMY) - 1)  # the last label has no item


@pytest.fixture(scope="session", autouse=True)
def close_clients() -> Iterator[None]:
    """Close what a test that failed has left."""
    yield
    for client in [*Client.left]:
        client.close()


@pytest.fixture(scope="session")
def hasher(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder: Path = tmp_path_factory.mktemp("generation")
    make_generation(folder)
    return Hasher(folder)


@pytest.fixture(scope="session")
def snapshot(hasher: Hasher) -> Snapshot:
    """What is in the store."""
    return Snapshot(
        generation=ref_of(hasher),
        ids=np.array([f"item {row}" for row in range(ITEMS)], object),
        labels=ItemLabels.of(LABELS, np.ones(ITEMS, np.int64)),
        codes=hasher.encode(decode(picture) for picture in pictures(ITEMS)),
        position=(0,),
    )


@pytest.fixture(scope="session")
def sets(snapshot: Snapshot) -> Snapshot:
    """The same codes of items with no label to four."""
    random, counts = np.random.default_rng(3), np.arange(ITEMS) % 5
    drawn = [np.sort(random.permutation(len(TAXONOMY) - 1)[:count]) for count in counts]
    return replace(snapshot, labels=ItemLabels.of(np.concatenate(drawn).astype(np.int32), counts))


@pytest.fixture(scope="session")
def make_client(hasher: Hasher, snapshot: Snapshot) -> Iterator[Callable[..., Client]]:
    """Clients of applications with settings and items of their own."""
    made: list[Client] = []

    def make(
        codes: Snapshot = snapshot,
        address: str = "127.0.0.1",
        tags: Sequence[tuple[str, ...]] = (),
        **settings: Any,
    ) -> Client:
        store = CodeStore.connect("memory://")
        filled(store, codes, tags=tags)
        made.append(Client(settings_of(hasher, **settings), lambda seconds: store, address))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="session")
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture(scope="session")
def tags() -> list[tuple[str, ...]]:
    """Of each item: none to three."""
    random = np.random.default_rng(5)
    return [tuple(sorted(random.permutation(TAGS)[: row % 4].tolist())) for row in range(ITEMS)]


@pytest.fixture(scope="session")
def sets_client(make_client: Callable[..., Client], sets: Snapshot, tags: list[tuple[str, ...]]) -> Client:
    return make_client(codes=sets, tags=tags)
