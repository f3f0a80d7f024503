"""Where a generation comes from, as a service tells it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.codestore import CodeStore, GenerationRef, Snapshot
from services.lineage import note_origin
from services.retrieval.schemas.lineage import LineageTold
from services.retrieval.service import Service
from taxohash.generation.hasher import Hasher
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import BITS, TAXONOMY
from tests.support.keyring import Keyring
from tests.support.lineages import origin_of_run

OTHER = GenerationRef("0123456789ab", BITS, TAXONOMY.sha256)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


@pytest.fixture
def store(snapshot: Snapshot, hasher: Hasher) -> CodeStore:
    """The session's generation, made by hand, and one that a run made, which was published in its place for a while."""
    made = CodeStore.connect("memory://")
    filled(made, snapshot)
    made.begin("default", OTHER)
    made.seal("default", OTHER.id)
    made.publish("default", OTHER.id, who="pipeline nightly-12", why="better on <birds>")
    made.rollback("default", who="Bo", why="worse on <fish>")
    note_origin(made, "default", OTHER.id, origin_of_run(hasher.generation, hasher.generation.id))
    return made


@pytest.fixture
def client(hasher: Hasher, store: CodeStore, keyring: Keyring) -> Iterator[Client]:
    made = Client(settings_of(hasher, api_keys_file=str(keyring.path)), lambda seconds: store)
    yield made
    made.close()


def test_it_is_told_as_described(client: Client, keyring: Keyring, hasher: Hasher) -> None:
    headers = dict(keyring.headers("search"))
    got = client("GET", f"/v1/lineage/{OTHER.id}?most=9", headers=headers)
    assert got.status_code == 200, got.text
    LineageTold.model_validate(got.json())
    newest, first = got.json()["lineage"]
    assert (newest["generation"], first["generation"]) == (OTHER.id, hasher.generation.id)
    assert (newest["run"]["name"], newest["replaced"]) == ("nightly-12", hasher.generation.id)
    assert (first["by_hand"], first["run"]) == (True, None)
    assert first["data"]["md5"] == hasher.generation.dataset_md5  # of the manifest that is at hand
    assert first["replaced_by"] is None  # it is published again
    assert newest["published"][0]["why"] == "better on <birds>"
    assert (newest["replaced_by"]["operation"], newest["replaced_by"]["who"]) == ("rollback", "Bo")
    (alone,) = client("GET", f"/v1/lineage/{OTHER.id}", headers=headers).json()["lineage"]
    assert alone == newest


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/lineage/nobody", 404, "generation 'nobody' is not known here: use an id from /v1/generations"),
        ("/v1/lineage/a%20b%0A", 404, "is not known here"),
        (f"/v1/lineage/{OTHER.id}?most=0", 400, "most is '0': give a whole number from 1 to 1000"),
        (f"/v1/lineage/{OTHER.id}?most=x", 400, "most is 'x': give a whole number from 1 to 1000"),
        (f"/v1/lineage/{OTHER.id}?all=1", 400, "field 'all' is not known: use one of most"),
    ],
)
def test_what_cannot_be_told(client: Client, keyring: Keyring, path: str, status: int, said: str) -> None:
    got = client("GET", path, headers=dict(keyring.headers("search")))
    assert (got.status_code, got.json()["status"]) == (status, status)
    assert said in got.json()["detail"]
    assert client("GET", path).status_code == 401


def test_without_its_store_it_is_told_later(hasher: Hasher, store: CodeStore, keyring: Keyring) -> None:
    away: Any = NoStore()

    def ask_another(service: Service) -> None:
        service.store = type(service.store)(lambda: away)

    made = Client(settings_of(hasher), lambda seconds: store, prepare=ask_another)
    got = made("GET", f"/v1/lineage/{OTHER.id}")
    made.close()
    assert got.status_code == 503
    assert "nowhere" not in got.text
    assert "retry-after" in got.headers
