"""The whole application in this process: a made generation, its codes, no server and no store."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.codestore import GenerationRef, ItemLabels, Snapshot
from services.retrieval.engine import Engine
from services.retrieval.loaded import Loaded
from services.retrieval.settings import Limits, Settings
from services.retrieval.workers import Workers
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.application import Client, NoStore
from tests.support.generations import TAXONOMY, make_generation, pictures

ITEMS = 300
LABELS = np.arange(ITEMS, dtype=np.int32) % (len(TAXONOMY) - 1)  # the last label has no item


@pytest.fixture(scope="session")
def hasher(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder: Path = tmp_path_factory.mktemp("generation")
    make_generation(folder)
    return Hasher(folder)


@pytest.fixture(scope="session")
def snapshot(hasher: Hasher) -> Snapshot:
    generation = hasher.generation
    return Snapshot(
        generation=GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256),
        ids=np.array([f"item {row}" for row in range(ITEMS)], object),
        labels=ItemLabels.of(LABELS, np.ones(ITEMS, np.int64)),
        codes=hasher.encode(decode(picture) for picture in pictures(ITEMS)),
        position=(0,),
    )


@pytest.fixture(scope="session")
def sets(snapshot: Snapshot) -> Snapshot:
    """The same codes of items with no label to four."""
    random, counts = np.random.default_rng(3), np.arange(ITEMS) % 5
    drawn = [random.permutation(len(TAXONOMY) - 1)[:count] for count in counts]
    return replace(snapshot, labels=ItemLabels.of(np.concatenate(drawn).astype(np.int32), counts))


@pytest.fixture(scope="session")
def make_client(hasher: Hasher, snapshot: Snapshot) -> Iterator[Callable[..., Client]]:
    """Clients of applications with settings of their own."""
    made: list[Client] = []
    pools: list[Workers] = []

    def make(limits: Limits | None = None, token: str | None = None, codes: Snapshot = snapshot) -> Client:
        settings = Settings(None, "redis://nowhere", limits=limits or Limits(), token=token)
        pools.append(Workers(settings.limits))
        store: Any = NoStore()
        engine = Engine(hasher, codes, settings.limits.pixels)
        made.append(Client(Loaded(settings, engine, store, None, pools[-1])))
        return made[-1]

    yield make
    for client in made:
        client.close()
    for pool in pools:
        pool.close()


@pytest.fixture(scope="session")
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture(scope="session")
def sets_client(make_client: Callable[..., Client], sets: Snapshot) -> Client:
    return make_client(codes=sets)
