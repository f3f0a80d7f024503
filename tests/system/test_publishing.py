"""Admins publish and go back over HTTP: a real service, whose own account of the store may do neither."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from services.codestore import CodeStore, GenerationRef, Item
from services.retrieval.schemas.describe import GenerationsTold
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support import servers
from tests.support.accounts import ACL, PASSWORDS
from tests.support.generations import TAXONOMY, make_generation
from tests.support.keyring import Keyring
from tests.support.serving import COLLECTION, IDS, LABELS, PICTURES, Service, environment, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.ConfiguredServer]:
    folder = tmp_path_factory.mktemp("store")
    with servers.ConfiguredServer(servers.binary(servers.VALKEY), folder, 'save ""\n', ACL) as started:
        yield started


def url_of(server: servers.ConfiguredServer, account: str) -> str:
    return f"redis://{account}:{quote(PASSWORDS[account])}@127.0.0.1:{server.port}/0"


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory, server: servers.ConfiguredServer) -> list[Hasher]:
    """Two generations of the same items, the first of them published, where a service finds both."""
    folder = tmp_path_factory.mktemp("generations")
    made = []
    with CodeStore.connect(url_of(server, "admin")) as store:
        store.create(COLLECTION, TAXONOMY, segments=4)
        for seed in range(2):
            own = make_generation(folder / "new", seed)
            hasher = Hasher((folder / "new").rename(folder / own.id))
            ref = GenerationRef(own.id, own.bits, own.taxonomy_sha256)
            store.begin(COLLECTION, ref)
            items = [Item(item, (label,)) for item, label in zip(IDS, LABELS, strict=True)]
            store.fill(COLLECTION, own.id, items, hasher.encode(decode(picture) for picture in PICTURES))
            store.seal(COLLECTION, own.id, len(items))
            made.append(hasher)
        store.publish(COLLECTION, made[0].generation.id, who="setup", why="the first")
    return made


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def service(
    server: servers.ConfiguredServer,
    hashers: list[Hasher],
    keyring: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    variables = environment(
        url_of(server, "reader"),
        folder / "home",
        TAXOHASH_ADMIN_REDIS_URL=url_of(server, "admin"),
        TAXOHASH_API_KEYS_FILE=str(keyring.path),
        TAXOHASH_GENERATIONS=str(hashers[0].folder.parent),
    )
    with serving(str(hashers[0].folder), variables, folder) as started:
        yield started


def post(service: Service, keyring: Keyring, path: str, **body: str) -> httpx.Response:
    headers = dict(keyring.headers("admin"))
    return httpx.post(f"{service.url}{path}", json=body, headers=headers, timeout=30)


def generation_of_a_search(service: Service, keyring: Keyring) -> str:
    headers = dict(keyring.headers("search"))
    got = httpx.post(f"{service.url}/v1/search", json={"id": IDS[3]}, headers=headers, timeout=30)
    assert got.status_code == 200, got.text
    told: str = got.json()["generation"]
    assert got.headers["x-generation"] == told
    return told


def test_what_an_admin_publishes_is_served_and_gone_back_from(
    service: Service, keyring: Keyring, hashers: list[Hasher]
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    assert generation_of_a_search(service, keyring) == first
    got = post(
        service, keyring, f"/v1/generations/{second}/publish", who="Ada", why="better", instead_of=first
    )
    assert (got.status_code, got.json()) == (200, {"published": second, "previous": first})
    until(lambda: generation_of_a_search(service, keyring) == second)
    counted = [
        service.metric(f'taxohash_queries_total{{generation="{one}"}}', -1.0) for one in (first, second)
    ]
    assert counted == [-1.0, 0.0]  # with a generation its series end
    headers = dict(keyring.headers("search"))
    told = httpx.get(f"{service.url}/v1/generations", headers=headers, timeout=30).json()
    GenerationsTold.model_validate(told)
    moves = {one["id"]: one["published"]["who"] for one in told["generations"]}
    assert moves == {first: "setup", second: "Ada"}
    again = post(service, keyring, f"/v1/generations/{first}/publish", who="Bo", why="x", instead_of=first)
    assert again.status_code == 409
    got = post(service, keyring, "/v1/rollback", who="Bo", why="worse")
    assert (got.status_code, got.json()) == (200, {"published": first, "previous": second})
    until(lambda: generation_of_a_search(service, keyring) == first)
    log = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    audit = [line for line in log if line["logger"] == "taxohash.audit"]
    assert [line["outcome"] for line in audit] == ["done", "refused", "done"]


def test_an_account_that_may_not_is_503_and_names_nothing(
    server: servers.ConfiguredServer,
    hashers: list[Hasher],
    keyring: Keyring,
    tmp_path: Path,
) -> None:
    variables = environment(
        url_of(server, "reader"),
        tmp_path / "home",
        TAXOHASH_ADMIN_REDIS_URL=url_of(server, "writer"),
        TAXOHASH_API_KEYS_FILE=str(keyring.path),
    )
    with serving(str(hashers[0].folder), variables, tmp_path) as started:
        second = hashers[1].generation.id
        got = post(started, keyring, f"/v1/generations/{second}/publish", who="Ada", why="better")
        assert got.status_code == 503
        assert "redis" not in got.text
        assert "writer" not in got.text
