"""How the service does, as it tells it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore, Snapshot
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.described import described
from services.retrieval.schemas.status import StatusTold
from taxohash.generation.hasher import Hasher
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import pictures
from tests.support.keyring import Keyring


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys")


@pytest.fixture(scope="module")
def guarded(hasher: Hasher, snapshot: Snapshot, keyring: Keyring) -> Iterator[Client]:
    store = CodeStore.connect("memory://")
    filled(store, snapshot)
    client = Client(settings_of(hasher, api_keys_file=str(keyring.path)), lambda seconds: store)
    yield client
    client.close()


def told(client: Client, query: str = "", **headers: str) -> StatusTold:
    got = client("GET", f"/v1/status{query}", headers=headers)
    assert got.status_code == 200, got.text
    return StatusTold.model_validate(got.json())


def test_it_tells_what_was_asked(client: Client, hasher: Hasher) -> None:
    client.service.recorder.record()
    client.search(pictures(1)[0])
    client.service.recorder.record()
    found = told(client, "?minutes=1")
    assert (found.served.status, found.served.generation) == ("ready", hasher.generation.id)
    assert found.served.codes == 300
    (requests,) = (curve for curve in found.curves if curve.name == "requests")
    assert (requests.lines[0].now or 0) > 0
    assert {len(line.values) for curve in found.curves for line in curve.lines} == {len(found.times)}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?minutes=0", "minutes is '0': give a whole number from 1 to 60"),
        ("?minutes=61", "minutes is '61': give a whole number from 1 to 60"),
        ("?minutes=x", "minutes is 'x': give a whole number from 1 to 60"),
        ("?minutes=nan", "minutes is 'nan': give a whole number from 1 to 60"),
        ("?minutes=5&minutes=5", "parameter 'minutes' is given twice"),
        ("?hours=1", "field 'hours' is not known: use one of minutes"),
        ("?minutes=%ff", "the query string is not UTF-8"),
    ],
)
def test_bad_input(client: Client, query: str, said: str) -> None:
    got = client("GET", f"/v1/status{query}")
    assert (got.status_code, got.headers["content-type"]) == (400, "application/problem+json")
    assert said in got.json()["detail"]
    assert client("POST", "/v1/status").status_code == 405


def test_it_is_told_to_those_who_may_search(guarded: Client, keyring: Keyring) -> None:
    for role in ("search", "write", "admin"):
        headers = dict(keyring.headers(role))
        assert told(guarded, **headers).served.status == "ready"
        assert guarded("GET", "/v1/status", headers=headers).headers["cache-control"] == "no-store"
    for key in (None, "wrong", "expired"):
        assert guarded("GET", "/v1/status", headers=dict(keyring.headers(key))).status_code == 401


def test_the_page_is_for_everybody_and_has_nothing_inline(guarded: Client) -> None:
    got = guarded("GET", "/status")
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert "style=" not in got.text
    again = guarded("GET", "/status", headers={"If-None-Match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert 'href="/status"' in guarded("GET", "/").text
    assert 'href="/"' in got.text


def test_it_is_told_while_nothing_is_loaded_and_no_store_answers(hasher: Hasher, tmp_path: Path) -> None:
    away = NoStore()
    client = Client(settings_of(hasher), lambda seconds: away, loaded=False)  # type: ignore[arg-type, return-value]
    try:
        found = told(client)
        assert (found.verdict, found.served.status, found.served.generation) == ("critical", "loading", None)
        assert "loading" in {finding.sign for finding in found.findings}
        assert "nowhere" not in found.model_dump_json()
    finally:
        client.close()


def test_examples_are_what_is_told() -> None:
    schema = described(ENDPOINTS)["components"]["schemas"]["StatusTold"]
    for one in schema["examples"]:
        StatusTold.model_validate(one)
