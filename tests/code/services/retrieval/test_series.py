"""However often the generation is swapped, a process has no more series than before."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services import metrics
from services.codestore import CodeStore, GenerationRef, Item
from services.retrieval import service
from services.retrieval.settings import Settings
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.application import Client
from tests.support.generations import TAXONOMY, make_generation, pictures

MOST = 1500
_LOOK_SECONDS = 0.01
_PICTURE = pictures(1)[0]


def published(store: CodeStore, folder: Path, count: int) -> Iterator[GenerationRef]:
    """So many generations, published one after the other: each with a hasher like the others', and an id of its own."""
    made = make_generation(folder / "first")
    code = Hasher(folder / "first").encode([decode(_PICTURE)])
    store.create("default", TAXONOMY, segments=1)
    for number in range(count):
        shutil.copytree(folder / "first", folder / "next")
        own = replace(made, objective={"number": number}).write(folder / "next")
        (folder / "next").rename(folder / own.id)
        ref = GenerationRef(own.id, own.bits, own.taxonomy_sha256)
        store.begin("default", ref)
        store.fill("default", ref.id, [Item("item")], code)
        store.seal("default", ref.id)
        store.publish("default", ref.id)
        store.gc("default")
        yield ref


def generations_told() -> set[str]:
    """Of every series that names one, but none."""
    families = metrics.REGISTRIES["retrieval"].collect()
    named = (sample.labels.get("generation", "") for family in families for sample in family.samples)
    return set(named) - {""}


def series() -> int:
    text = metrics.exposition("retrieval").decode()
    return sum(not line.startswith("#") for line in text.splitlines())


def client_of(store: CodeStore, folder: Path) -> Client:
    client = Client(Settings(generations=str(folder)), lambda seconds: store)
    assert client.service._swap
    client.service._swap._look_seconds = _LOOK_SECONDS
    return client


@pytest.mark.parametrize("swaps", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_swaps_leave_no_series_behind(tmp_path: Path, swaps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LOOK_SECONDS", _LOOK_SECONDS)
    store = CodeStore.connect("memory://")
    client: Client | None = None
    counts, before, done = list[int](), "", metrics.SWAPS.labels("done")._value.get()
    try:
        for ref in published(store, tmp_path, swaps + 1):
            client = client or client_of(store, tmp_path)
            while client.search(_PICTURE).json()["generation"] != ref.id:
                pass
            client("GET", "/nowhere")
            client("GET", "/v1/stats")
            client("GET", "/livez")  # also where the next need not ask for it: it has series of its own
            while generations_told() != {ref.id, before} - {""}:
                client("GET", "/livez")  # lets the application's own tasks run
            counts.append(series())
            before = ref.id
    finally:
        if client:
            client.close()
    assert metrics.SWAPS.labels("done")._value.get() == done + swaps + 1
    assert set(counts[1:]) == {counts[1]}
    assert counts[1] <= MOST
