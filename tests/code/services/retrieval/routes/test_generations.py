"""Which generations there are, and who may say which is published."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from services.codestore import CodeStore, GenerationRef, Item, Snapshot
from services.retrieval.schemas.describe import GenerationsTold, Moved, StatsTold
from services.retrieval.service import Service
from taxohash.generation.hasher import Hasher
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import BITS, TAXONOMY
from tests.support.keyring import Keyring

OTHER = GenerationRef("0123456789ab", BITS, TAXONOMY.sha256)
ITEMS = 300


@pytest.fixture
def store(snapshot: Snapshot) -> CodeStore:
    """The session's generation, published, and another one that is sealed."""
    made = CodeStore.connect("memory://")
    filled(made, snapshot)
    made.begin("default", OTHER)
    items = [Item(str(item), (0,)) for item in snapshot.ids.tolist()]
    made.fill("default", OTHER.id, items, snapshot.codes)
    made.seal("default", OTHER.id, ITEMS)
    return made


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


@pytest.fixture
def client(hasher: Hasher, store: CodeStore, keyring: Keyring) -> Iterator[Client]:
    settings = settings_of(hasher, admin_redis_url="memory://", api_keys_file=str(keyring.path))
    made = Client(settings, lambda seconds: store)
    yield made
    made.close()


def asked(client: Client, keyring: Keyring, path: str, key: str = "admin", **fields: Any) -> httpx.Response:
    return client("POST", path, json=fields, headers=dict(keyring.headers(key)))


def generations(client: Client, keyring: Keyring) -> dict[str, Any]:
    got = client("GET", "/v1/generations", headers=dict(keyring.headers("search")))
    assert got.status_code == 200, got.text
    told: dict[str, Any] = got.json()
    GenerationsTold.model_validate(told)
    return told


def test_who_published_what_when_and_why_is_told(client: Client, keyring: Keyring, hasher: Hasher) -> None:
    own = hasher.generation.id
    told = generations(client, keyring)
    assert (told["published"], told["previous"]) == (own, None)
    states = {one["id"]: (one["state"], one["codes"], one["served"]) for one in told["generations"]}
    assert states == {own: ("published", ITEMS, True), OTHER.id: ("sealed", ITEMS, False)}
    assert told["generations"][1]["published"] is None

    got = asked(client, keyring, f"/v1/generations/{OTHER.id}/publish", who="Ada", why="better on <birds>")
    assert got.status_code == 200, got.text
    Moved.model_validate(got.json())
    assert got.json() == {"published": OTHER.id, "previous": own}
    told = generations(client, keyring)
    assert (told["published"], told["previous"]) == (OTHER.id, own)
    move = told["generations"][1]["published"]
    assert (move["operation"], move["who"], move["why"]) == ("publish", "Ada", "better on <birds>")
    assert datetime.fromisoformat(move["when"]).utcoffset() is not None

    got = asked(client, keyring, "/v1/rollback", who="Bo", why="worse on fish")
    assert got.json() == {"published": own, "previous": OTHER.id}
    told = generations(client, keyring)
    assert told["published"] == own
    move = told["generations"][0]["published"]
    assert (move["operation"], move["who"], move["why"]) == ("rollback", "Bo", "worse on fish")


def test_what_the_store_does_not_do_is_409_in_its_words(
    client: Client, keyring: Keyring, store: CodeStore, hasher: Hasher
) -> None:
    for path, fields, said in [
        ("/v1/rollback", {}, "there is none to roll back to"),
        ("/v1/generations/ffffffffffff/publish", {}, "ffffffffffff"),
        (f"/v1/generations/{OTHER.id}/publish", {"instead_of": OTHER.id}, "is published in 'default', not"),
    ]:
        got = asked(client, keyring, path, who="Ada", why="to see", **fields)
        assert (got.status_code, got.json()["type"]) == (409, "urn:taxohash:conflict")
        assert said in got.json()["detail"]
    published = store.published("default")
    assert published
    assert published.id == hasher.generation.id


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "who is missing: give who asks for it"),
        ({"who": "Ada"}, "why is missing: give the reason"),
        ({"who": "", "why": "x"}, "who is ''"),
        ({"who": "Ada", "why": "x" * 1001}, "why is"),
        ({"who": "Ada", "why": "x", "wait": 5}, "field 'wait' is not known: use one of who, why"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/rollback", f"/v1/generations/{OTHER.id}/publish"])
def test_who_and_why_are_needed(
    client: Client, keyring: Keyring, path: str, fields: dict[str, Any], told: str
) -> None:
    got = asked(client, keyring, path, **fields)
    assert got.status_code == 400
    assert told in got.json()["detail"]
    assert generations(client, keyring)["generations"][1]["published"] is None


def test_it_is_for_admins_and_comes_as_json(client: Client, keyring: Keyring) -> None:
    for key, status in (("search", 403), ("write", 403), ("wrong", 401)):
        assert asked(client, keyring, "/v1/rollback", key, who="x", why="y").status_code == status
    got = client("POST", "/v1/rollback", data={"who": "x"}, headers=dict(keyring.headers("admin")))
    assert got.status_code == 415


def test_without_the_address_of_an_admin_nothing_is_published(
    hasher: Hasher, store: CodeStore, keyring: Keyring
) -> None:
    plain = Client(settings_of(hasher, api_keys_file=str(keyring.path)), lambda seconds: store)
    for path in ("/v1/rollback", f"/v1/generations/{OTHER.id}/publish"):
        got = asked(plain, keyring, path, who="Ada", why="to see")
        assert got.status_code == 404
        assert "TAXOHASH_ADMIN_REDIS_URL" in got.json()["detail"]
    plain.close()


def test_a_store_that_is_away_is_503_and_numbers_are_told_without_it(
    hasher: Hasher, store: CodeStore, keyring: Keyring
) -> None:
    away: Any = NoStore()

    def ask_another(service: Service) -> None:
        service.store = service.admin = type(service.store)(lambda: away)

    client = Client(
        settings_of(hasher, api_keys_file=str(keyring.path)), lambda seconds: store, prepare=ask_another
    )
    search = dict(keyring.headers("search"))
    for got in (
        client("GET", "/v1/generations", headers=search),
        asked(client, keyring, "/v1/rollback", who="Ada", why="to see"),
    ):
        assert got.status_code == 503
        assert "nowhere" not in got.text
        assert "retry-after" in got.headers
    told = client("GET", "/v1/stats", headers=search).json()
    StatsTold.model_validate(told)
    assert (told["items"], told["by_origin"]) == (ITEMS, None)
    client.close()


def test_numbers_count_items_by_their_origin(
    client: Client, keyring: Keyring, store: CodeStore, hasher: Hasher
) -> None:
    own, code = hasher.generation.id, np.zeros((1, 3), np.uint8)
    store.upsert("default", [Item("by hand")], {own: code})
    written = store.upsert("default", [Item("not yet", picture="0" * 64)])
    search = dict(keyring.headers("search"))
    seen = {"code": "000000", "token": str(written.token)}
    assert client("POST", "/v1/search", json=seen, headers=search).status_code == 200
    told = client("GET", "/v1/stats", headers=search).json()
    StatsTold.model_validate(told)
    assert told["by_origin"] == {"api": 2, "data": ITEMS}
    assert (told["items"], told["coded"], told["lacking"]) == (ITEMS + 2, ITEMS + 1, 1)
    assert told["index"]["codes"] == ITEMS + 1
    assert told["index"]["bytes"] < told["bytes"]
    assert (told["generation"], told["collection"]) == (own, "default")
