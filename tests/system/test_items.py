"""Items over HTTP in two real services over one real store: put here and found there, through swaps, restarts and refusals."""

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from services.codestore import CodeStore, EmbeddedServer
from services.codestore.accounts import READER
from services.codestore.pictures import Pictures
from services.retrieval.item_ids import link
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.backfills import backfilled, hashers_in, ref_of
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.keyring import Keyring
from tests.support.pictures import encoded, noise
from tests.support.serving import COLLECTION, Service, environment, pictures_of, publish, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system

LARGE = encoded(noise(300, 200), "JPEG")
OTHER = encoded(noise(200, 300, seed=1), "JPEG")
CRIMSON = "warm/red/crimson"


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    """Two, in a folder of generations."""
    return hashers_in(tmp_path_factory.mktemp("items") / "generations")


@pytest.fixture(scope="module")
def store_server(tmp_path_factory: pytest.TempPathFactory, hashers: list[Hasher]) -> Iterator[EmbeddedServer]:
    """A store in which the first is published; the last test takes it away."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        publish(server.url, hashers[0].folder)
        yield server


@pytest.fixture(scope="module")
def store(store_server: EmbeddedServer) -> Iterator[CodeStore]:
    with CodeStore.connect(store_server.url) as connected:
        yield connected


@pytest.fixture(scope="module")
def pictures(hashers: list[Hasher], store_server: EmbeddedServer) -> Pictures:
    return Pictures.open(pictures_of(hashers[0].folder))


@pytest.fixture(scope="module")
def variables(
    hashers: list[Hasher], store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = hashers[0].folder
    return environment(
        store_server.url,
        tmp_path_factory.mktemp("home"),
        TAXOHASH_PICTURES=str(pictures_of(folder)),
        TAXOHASH_GENERATIONS=str(folder.parent),
        TAXOHASH_STORE_SECONDS="3",
    )


@pytest.fixture(scope="module")
def services(
    hashers: list[Hasher], variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Service]]:
    """Two replicas."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                serving(str(hashers[0].folder), variables, tmp_path_factory.mktemp(f"service-{number}"))
            )
            for number in range(2)
        ]


def ask(service: Service, method: str, address: str, **more: Any) -> httpx.Response:
    return httpx.request(method, service.url + address, timeout=60, trust_env=False, **more)


def put(service: Service, item_id: str, picture: bytes = LARGE, **said: Any) -> httpx.Response:
    headers = {"Content-Type": "image/jpeg"} | said.pop("headers", {})
    return ask(service, "PUT", "/v1/item", params={"id": item_id, **said}, content=picture, headers=headers)


def get(service: Service, item_id: str, token: str = "") -> httpx.Response:
    return ask(service, "GET", "/v1/item", params={"id": item_id} | ({"token": token} if token else {}))


def finds(service: Service, item_id: str, token: str, picture: bytes = LARGE) -> bool:
    """Whether the next search by its picture that carries the token finds an item."""
    answer = ask(
        service, "POST", "/v1/search", files={"image": ("p", picture)},
        data={"k": "1000", "ranking": "hamming", "token": token},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return item_id in {result["id"] for result in answer.json()["results"]}


def test_items_with_the_hardest_ids_are_put_told_and_deleted(services: list[Service]) -> None:
    here, there = services
    hardest = [f"{item_id}!" for item_id in HOSTILE_IDS if len(item_id.encode()) < 1024]
    for item_id in [*hardest, "z" * 1024, "日" * 341, "a/b c.png"]:
        token = put(here, item_id, labels=[CRIMSON], tags=["t"]).raise_for_status().json()["token"]
        item = get(there, item_id, token).raise_for_status().json()
        assert (item["id"], item["label_paths"], item["tags"]) == (item_id, [CRIMSON.split("/")], ["t"])
        assert ask(there, "GET", item["links"]["image"]).content == LARGE
        assert ask(there, "GET", item["links"]["thumbnail"]).headers["content-type"] == "image/webp"
        similar = ask(there, "GET", item["links"]["similar"], params={"id": item_id, "k": "3"}).json()
        assert len(similar["results"]) == 3
        gone = ask(there, "DELETE", item["links"]["item"]).json()
        assert gone["pictures"] == "removed"
        assert get(here, item_id, gone["token"]).status_code == 404
        assert not finds(here, item_id, gone["token"])


def test_paths_reach_the_service_as_they_are_sent(services: list[Service]) -> None:
    here, _ = services
    assert (
        ask(
            here, "PUT", "/v1/items/train/one.png", content=LARGE, headers={"Content-Type": "image/jpeg"}
        ).status_code
        == 201
    )
    assert ask(here, "GET", "/v1/items/train%2Fone.png").json()["id"] == "train/one.png"
    assert ask(here, "GET", "/v1/items/train/one.png/image").content == LARGE
    for path in (
        "/v1/items/train%2F..%2Fone",
        "/v1/items/a%252Fb",
        "/v1/items/a%5Cb",
        "/v1/items/a/",
        "/v1/items/a%00",
    ):
        for method in ("GET", "DELETE"):
            answer = ask(here, method, path)
            assert (answer.status_code, "?id=" in answer.json()["detail"]) == (404, True)
    assert ask(here, "DELETE", "/v1/items/train/one.png").status_code == 200


def test_what_is_put_here_is_found_there_by_its_token(services: list[Service]) -> None:
    for number in range(30):
        here, there = services[number % 2], services[(number + 1) % 2]
        item_id = f"token {number}"
        token = put(here, item_id).json()["token"]
        assert finds(there, item_id, token)
        gone = ask(there, "DELETE", link("item", item_id)).json()["token"]
        assert not finds(here, item_id, gone)
    stale = f"{token.partition('.')[0]}.0-{10**9}"
    answer = get(services[0], "token 0", stale)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_batch_is_put_whole(services: list[Service], hashers: list[Hasher], pictures: Pictures) -> None:
    here, there = services
    random = np.random.default_rng(0)
    sent = {f"batch {n}": encoded(noise(40, 30, seed=n)) for n in range(60)}
    items: list[dict[str, Any]] = [
        {"id": item_id, "image": base64.b64encode(data).decode(), "labels": [CRIMSON]}
        for item_id, data in sent.items()
    ]
    generation = hashers[0].generation
    code = (random.integers(0, 256, 3) & [255, 255, 0xF0]).astype(np.uint8).tobytes().hex()
    items += [
        {"id": "batch code", "code": code, "generation": generation.id},
        {"id": "batch bad", "image": base64.b64encode(b"no picture").decode()},
    ]
    told = ask(here, "POST", "/v1/items", json={"items": items}).raise_for_status().json()
    assert [result["status"] for result in told["results"]] == [201] * 61 + [422]
    expected = hashers[0].encode(decode(data) for data in sent.values())
    assert [result["put"]["code"] for result in told["results"][:60]] == [
        row.tobytes().hex() for row in expected
    ]
    for item_id, data in sent.items():
        assert get(there, item_id, told["token"]).json()["state"] == "searchable"
        assert ask(there, "GET", link("image", item_id)).content == data
    for item in items[:-1]:
        assert ask(here, "DELETE", link("item", item["id"])).status_code == 200
    assert not {hashlib.sha256(data).hexdigest() for data in sent.values()} & set(pictures.digests())


def test_items_live_through_swap_backfill_and_going_back(
    services: list[Service], store: CodeStore, hashers: list[Hasher], pictures: Pictures
) -> None:
    here, there = services
    old, new = hashers
    before = put(here, "swapped", labels=[CRIMSON], tags=["kept"]).json()
    store.begin(COLLECTION, ref_of(new))
    store.seal(COLLECTION, new.generation.id)
    lacking_at_first = put(here, "while sealed", OTHER).json()
    backfilled(store, COLLECTION, new, pictures)
    store.publish(COLLECTION, new.generation.id, wait=60)
    for service in services:
        until(partial(serves, service, new))
    for service in services:
        item = get(service, "swapped", before["token"]).json()
        assert (item["generation"], item["label_paths"], item["tags"]) == (
            new.generation.id, [CRIMSON.split("/")], ["kept"],
        )  # fmt: skip
        assert item["code"] == new.encode([decode(LARGE)])[0].tobytes().hex() != before["code"]
        assert finds(service, "swapped", before["token"])
        assert finds(service, "while sealed", lacking_at_first["token"], OTHER)
    after = put(there, "after", OTHER).json()
    assert finds(here, "after", after["token"], OTHER)
    answer = ask(
        here, "PUT", "/v1/items/late", json={"code": before["code"], "generation": old.generation.id}
    )
    assert answer.status_code == 409
    assert (
        ask(there, "DELETE", link("item", "swapped")).status_code == 200
    )  # in the generation that is retired, too
    store.rollback(COLLECTION)
    for service in services:
        until(partial(serves, service, old))
        assert get(service, "swapped").status_code == 404
        assert get(service, "after", after["token"]).json()["state"] == "being encoded"
        assert not finds(service, "after", after["token"], OTHER)
    backfilled(store, COLLECTION, old, pictures)
    until(lambda: finds(here, "after", after["token"], OTHER))
    for item_id in ("while sealed", "after"):
        assert ask(here, "DELETE", link("item", item_id)).json()["pictures"] == "removed"


def test_labels_and_tags_are_changed_here_while_pictures_are_put_there(services: list[Service]) -> None:
    """Of what two replicas write of one item at once, nothing is lost: each put has its picture, each edit its tags."""
    here, there = services
    put(here, "edited")

    def edit() -> httpx.Response:
        return ask(here, "PATCH", "/v1/item", params={"id": "edited"}, json={"labels": [CRIMSON]})

    with ThreadPoolExecutor(2) as pool:
        editing = pool.submit(lambda: [edit() for _ in range(20)])
        putting = pool.submit(
            lambda: [put(there, "edited", [LARGE, OTHER][n % 2], tags=[str(n)]) for n in range(20)]
        )
        edits, puts = editing.result(), putting.result()
    assert {answer.status_code for answer in edits + puts} == {200}
    item = get(there, "edited", edit().json()["token"]).json()
    assert (item["label_paths"], item["tags"]) == ([CRIMSON.split("/")], ["19"])
    assert item["code"] == puts[-1].json()["code"]
    assert ask(here, "GET", link("image", "edited")).content == OTHER
    assert ask(here, "DELETE", link("item", "edited")).json()["pictures"] == "removed"


def test_items_live_through_a_restart(
    services: list[Service], hashers: list[Hasher], variables: dict[str, str], tmp_path: Path
) -> None:
    here, _ = services
    token = put(here, "restarted", labels=[CRIMSON]).json()["token"]
    with serving(str(hashers[0].folder), variables, tmp_path) as another:
        assert finds(another, "restarted", token)
        (worker,) = psutil.Process(another.pid).children()
        worker.kill()
        until(lambda: answers(another))
        assert finds(another, "restarted", token)
        assert ask(another, "GET", link("image", "restarted")).content == LARGE
        again = put(another, "restarted", labels=[CRIMSON])
        assert (again.status_code, again.json()["new"]) == (200, False)


def test_a_request_that_is_sent_again_to_another_replica_is_made_once(services: list[Service]) -> None:
    here, there = services
    key = {"Idempotency-Key": "b3f1c6"}
    first = put(here, "once", headers=key)
    assert ask(there, "DELETE", link("item", "once")).status_code == 200
    again = put(there, "once", headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert get(there, "once", again.json()["token"]).status_code == 404
    assert put(there, "once", OTHER, headers=key).status_code == 409


def test_writes_need_a_key_of_their_role(
    hashers: list[Hasher], variables: dict[str, str], tmp_path: Path
) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    with serving(
        str(hashers[0].folder), variables | {"TAXOHASH_API_KEYS_FILE": str(keyring.path)}, tmp_path
    ) as service:
        for name, status in ((None, 401), ("wrong", 401), ("search", 403), ("write", 201), ("admin", 200)):
            assert put(service, "keyed", headers=dict(keyring.headers(name))).status_code == status
            batch = ask(service, "POST", "/v1/items", json={"items": []}, headers=keyring.headers(name))
            assert batch.status_code == (status if status > 300 else 400)
            image = ask(service, "GET", link("image", "keyed"), headers=keyring.headers(name))
            assert image.status_code == {401: 401, 403: 404}.get(status, 200)
        for name, status in ((None, 401), ("search", 403), ("write", 200)):
            changed = ask(
                service, "PATCH", "/v1/items/keyed", json={"tags": []}, headers=keyring.headers(name)
            )
            assert changed.status_code == status
            gone = ask(service, "DELETE", link("item", "keyed"), headers=keyring.headers(name))
            assert gone.status_code == status


def test_an_account_that_may_only_read_is_told_in_one_sentence(
    hashers: list[Hasher], variables: dict[str, str], store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    password = "a" * 40
    line = READER.line(hashlib.sha256(password.encode()).hexdigest()).split()
    store.server.command("ACL", "SETUSER", *line[1:])
    address = variables["TAXOHASH_REDIS_URL"].replace("unix://", f"unix://{READER.name}:{password}@")
    before = set(pictures.digests())
    with serving(str(hashers[0].folder), variables | {"TAXOHASH_REDIS_URL": address}, tmp_path) as service:
        for answer in (put(service, "read only"), ask(service, "DELETE", link("item", "item 5"))):
            assert answer.status_code == 503
            assert "may only read its code store" in answer.json()["detail"]
            assert "TAXOHASH_REDIS_URL" in answer.json()["detail"]
        assert get(service, "item 5").json()["state"] == "searchable"
        until(lambda: set(pictures.digests()) == before)
        assert "Traceback" not in service.log.read_text()


def test_writes_are_refused_while_the_store_is_away_and_what_is_similar_is_told(
    services: list[Service], store_server: EmbeddedServer, pictures: Pictures
) -> None:
    here, there = services
    before = set(pictures.digests())
    store_server.stop()
    for answer in (
        put(here, "away"),
        ask(there, "DELETE", link("item", "item 5")),
        get(here, "item 5"),
        ask(here, "GET", link("thumbnail", "item 5")),
    ):
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "does not answer" in answer.json()["detail"]
    assert len(ask(there, "GET", "/v1/items/item 5/similar?k=7").json()["results"]) == 7
    assert set(pictures.digests()) == before
    assert all("Traceback" not in service.log.read_text() for service in services)


def serves(service: Service, hasher: Hasher) -> bool:
    return ask(service, "GET", "/readyz").headers["x-generation"] == hasher.generation.id


def answers(service: Service) -> bool:
    try:
        return ask(service, "GET", "/readyz").status_code == 200
    except httpx.TransportError:
        return False
