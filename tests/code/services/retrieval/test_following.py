"""Which generation is served: as is published, pinned, and when things go wrong. Over a store in memory."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services import metrics
from services.codestore import CodeStore, Item, Snapshot
from services.codestore.follower import swap
from services.retrieval.schemas.search import Wishes
from services.retrieval.settings import Settings
from taxohash.generation.hasher import Hasher
from taxohash.generation.keys import VERIFY_KEY
from taxohash.images import decode
from tests.support.application import Client, filled, ref_of
from tests.support.generations import make_generation, pictures
from tests.support.signing import make_key, signed

LONG = 30.0


@pytest.fixture
def generations(tmp_path: Path) -> Path:
    """A folder with two generations, each under its id."""
    for seed in (1, 2):
        made = make_generation(tmp_path / str(seed), seed=seed)
        (tmp_path / str(seed)).rename(tmp_path / made.id)
    return tmp_path


@pytest.fixture
def hashers(generations: Path) -> list[Hasher]:
    return [Hasher(folder) for folder in sorted(generations.iterdir())]


@pytest.fixture
def store(hashers: list[Hasher], snapshot: Snapshot) -> CodeStore:
    """Both generations, the second published."""
    made = CodeStore.connect("memory://")
    for hasher in hashers:
        codes = hasher.encode(decode(picture) for picture in pictures(len(snapshot.ids)))
        filled(made, replace(snapshot, generation=ref_of(hasher), codes=codes))
    return made


@contextmanager
def serving(store: Any, loaded: bool = True, **settings: Any) -> Iterator[Client]:
    client = Client(Settings(**settings), lambda seconds: store, loaded=loaded)
    try:
        yield client
    finally:
        client.close()


def wait(holds: Callable[[], object], client: Client) -> None:
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, client.service.trouble
        time.sleep(0.01)


def served(client: Client) -> str:
    """By the code that it answers with, which must be that of the generation it names."""
    answer = client.search(pictures(1)[0]).json()
    assert (answer["results"][0]["id"], answer["results"][0]["distance"]) == ("item 0", 0)
    return str(answer["generation"])


def test_what_is_published_is_served_and_going_back_too(
    store: CodeStore, hashers: list[Hasher], generations: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    with serving(store, generations=str(generations)) as client:
        assert served(client) == second
        store.publish("default", first)
        wait(lambda: served(client) == first, client)
        assert store.rollback("default") == second
        wait(lambda: served(client) == second, client)
        assert client("GET", "/readyz").json()["published_is_served"] is True


def test_a_request_ends_with_the_generation_that_it_began_with(
    store: CodeStore, hashers: list[Hasher], generations: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    with serving(store, generations=str(generations)) as client:
        taken = client.service.taken()
        store.publish("default", first)
        wait(lambda: served(client) == first, client)
        picture = np.zeros(hashers[0].generation.preprocessing.shape, np.uint8)
        answer = taken.engine.search(taken.engine.of_picture(picture), Wishes(k=3))
        assert answer["generation"] == second


def test_a_pinned_generation_is_served_whatever_is_published(
    store: CodeStore, hashers: list[Hasher], generations: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    with serving(store, generations=str(generations), pin=first) as client:
        told = client("GET", "/readyz").json()
        assert (told["generation"], told["published"], told["pinned"]) == (first, second, True)
        assert told["published_is_served"] is False
        assert served(client) == first
        codes = hashers[0].encode([decode(pictures(1, seed=99)[0])])
        store.upsert("default", [Item("new")], {first: codes})  # it is kept level as any other
        wait(lambda: client.search(pictures(1, seed=99)[0]).json()["results"][0]["id"] == "new", client)
        store.publish("default", first)
        store.rollback("default")
        assert served(client) == first


@pytest.mark.parametrize("damage", ["missing", "edited", "no model"])
def test_a_generation_that_cannot_be_loaded_leaves_the_old_one(
    store: CodeStore, hashers: list[Hasher], generations: Path, damage: str
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    kept = generations.parent / f"{generations.name}-kept"
    shutil.copytree(generations / first, kept)
    if damage == "missing":
        shutil.rmtree(generations / first)
    elif damage == "edited":
        (generations / first / "taxonomy.json").write_text("{}")
    else:
        (generations / first / "hasher.onnx").unlink()
    with serving(store, generations=str(generations)) as client:
        store.publish("default", first)
        wait(lambda: first in client.service.trouble, client)
        assert "\n" not in client.service.trouble
        told = client("GET", "/readyz")
        assert (told.status_code, told.json()["generation"]) == (200, second)
        assert (told.json()["published"], told.json()["published_is_served"]) == (first, False)
        assert str(generations) not in told.text
        assert served(client) == second
        shutil.copytree(kept, generations / first, dirs_exist_ok=True)  # it recovers by itself
        wait(lambda: served(client) == first, client)


def test_what_no_given_key_has_signed_is_not_swapped_to(
    store: CodeStore,
    hashers: list[Hasher],
    generations: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old one goes on, and the swap is made once that is put right: by a signature, or by another key in the file."""
    first, second = (hasher.generation.id for hasher in hashers)
    room = tmp_path_factory.mktemp("keys")
    (old, public), (new, of_new) = (make_key(room / name) for name in ("old.pem", "new.pem"))
    signed(generations / second, old)
    monkeypatch.setenv(VERIFY_KEY, str(public))
    monkeypatch.setattr(swap, "_LAST_RETRY_SECONDS", 0.1)
    with serving(store, generations=str(generations), cache=str(room / "cache")) as client:
        assert served(client) == second
        store.publish("default", first)
        wait(lambda: f"{first} is not signed" in client.service.trouble, client)
        assert served(client) == second
        signed(generations / first, new)
        wait(lambda: f"{first} is signed by none of the keys" in client.service.trouble, client)
        assert (client("GET", "/readyz").status_code, served(client)) == (200, second)
        public.write_bytes(public.read_bytes() + of_new.read_bytes())
        wait(lambda: served(client) == first, client)
        public.write_bytes(of_new.read_bytes())
        store.rollback("default")
        wait(lambda: f"{second} is signed by none of the keys" in client.service.trouble, client)
        assert served(client) == first


def test_where_nothing_is_published_the_process_waits_for_it(
    store: CodeStore, hashers: list[Hasher], generations: Path
) -> None:
    fresh = CodeStore.connect("memory://")
    with serving(fresh, loaded=False, generations=str(generations)) as client:
        wait(lambda: client.service.trouble, client)
        assert client("GET", "/readyz").status_code == 503
        assert client("GET", "/livez").status_code == 200
        codes = hashers[0].encode(decode(picture) for picture in pictures(2))
        taxonomy = hashers[0].taxonomy
        fresh.create("default", taxonomy, segments=1)
        fresh.begin("default", ref_of(hashers[0]))
        fresh.fill("default", hashers[0].generation.id, [Item("item 0"), Item("item 1")], codes)
        fresh.seal("default", hashers[0].generation.id)
        fresh.publish("default", hashers[0].generation.id)
        wait(lambda: client("GET", "/readyz").status_code == 200, client)
        assert served(client) == hashers[0].generation.id


@pytest.mark.parametrize(
    ("pin", "said"), [("0" * 16, "is not in collection"), ("unsealed", "is building in collection")]
)
def test_a_pin_that_cannot_be_served_is_told(
    store: CodeStore, hashers: list[Hasher], generations: Path, pin: str, said: str
) -> None:
    store.begin("default", replace(ref_of(hashers[0]), id="unsealed"))
    with serving(store, loaded=False, generations=str(generations), pin=pin) as client:
        wait(lambda: said in client.service.trouble, client)
        assert "TAXOHASH_PIN" in client.service.trouble
        assert client("GET", "/readyz").json()["status"] == "loading"


def test_only_the_generation_at_hand_can_be_served_without_a_place_for_others(
    store: CodeStore, hashers: list[Hasher]
) -> None:
    with serving(store, generation=str(hashers[1].folder)) as client:
        assert served(client) == hashers[1].generation.id
        store.publish("default", hashers[0].generation.id)
        wait(lambda: "TAXOHASH_GENERATIONS" in client.service.trouble, client)
        assert served(client) == hashers[1].generation.id


def test_metrics_tell_what_is_served_and_what_is_not(
    store: CodeStore, hashers: list[Hasher], generations: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    shutil.rmtree(generations / first)
    with serving(store, generations=str(generations)) as client:

        def told(*lines: str) -> bool:
            client("GET", "/livez")  # lets the application's own tasks run
            text = metrics.exposition("retrieval").decode()
            return all(f"\n{line}\n" in text for line in lines)

        is_served = f'taxohash_generation_served{{generation="{second}"}} 1.0'
        wait(lambda: told(is_served, "taxohash_ready 1.0", "taxohash_published_not_served 0.0"), client)
        store.publish("default", first)
        wait(
            lambda: told(is_served, "taxohash_published_not_served 1.0", "taxohash_swap_failing 1.0"), client
        )
