"""Items over HTTP: put, told, deleted, their pictures and what is similar, whatever their ids are."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from services.codestore import (
    CodeStore,
    FullError,
    GenerationRef,
    Item,
    NoPermissionError,
    Snapshot,
    StoreUnavailableError,
)
from services.codestore.pictures import Pictures, digest_of
from services.retrieval.item_ids import link
from services.retrieval.schemas.items import BatchTold, Deleted, Edited, ItemTold, Put
from services.retrieval.schemas.search import Answer
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from taxohash.images.thumbnails import thumbnail as small
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import TAXONOMY, pictures
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.keyring import Keyring, key_of
from tests.support.pictures import encoded, noise
from tests.support.waiting import until

COLLECTION = "default"
PICTURES = pictures(8)
LARGE = encoded(noise(300, 200), "JPEG")
CRIMSON = "warm/red/crimson"
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the picture store."""
    return tmp_path / "pictures"


@pytest.fixture
def store(snapshot: Snapshot, folder: Path) -> CodeStore:
    """Items with the ids that are hardest to carry, whose pictures are their own ids."""
    ids = [*HOSTILE_IDS, *snapshot.ids.tolist()[len(HOSTILE_IDS) :]]
    thumbnails = Pictures.open(folder).put_many(item_id.encode() for item_id in HOSTILE_IDS)
    made = CodeStore.connect("memory://")
    filled(
        made,
        replace(snapshot, ids=np.array(ids, object)),
        [*thumbnails, *[""] * (len(ids) - len(thumbnails))],
    )
    return made


@pytest.fixture
def client(hasher: Hasher, store: CodeStore, folder: Path) -> Iterator[Client]:
    made = Client(settings_of(hasher, pictures=str(folder)), lambda seconds: store)
    yield made
    made.close()


def put(client: Client, item_id: str, picture: bytes = PICTURES[0], **said: Any) -> httpx.Response:
    """Put a picture as it is."""
    headers = PNG | said.pop("headers", {})
    return client("PUT", "/v1/item", params={"id": item_id, **said}, content=picture, headers=headers)


def get(client: Client, item_id: str, token: str | None = None) -> httpx.Response:
    asked = {"id": item_id} | ({"token": token} if token else {})
    return client("GET", "/v1/item", params=asked)


def detail(answer: httpx.Response, status: int) -> str:
    """The sentence of a problem of this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") or status not in (429, 503, 507)
    said: str = answer.json()["detail"]
    assert said.isprintable()
    return said


def kept(folder: Path) -> set[str]:
    return set(Pictures.open(folder).digests())


# -- thumbnails and originals ----------------------------------------------------------------------


def thumbnail(client: Client, item_id: str) -> tuple[int, str]:
    """Status and error of the request for it."""
    answer = client("GET", link("thumbnail", item_id))
    return answer.status_code, answer.json()["detail"]


def test_the_address_in_an_answer_leads_to_the_item(client: Client) -> None:
    results = client.search(PICTURES[0], k="300").json()["results"]
    addresses = {result["id"]: result["thumbnail"] for result in results}
    for item_id in HOSTILE_IDS:
        answer = client("GET", addresses[item_id])
        assert (answer.status_code, answer.content) == (200, item_id.encode()), item_id
        assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("item", ["", "a" * 1025, "%ED%A0%80" * 400, "a%2F..%2Fb", "a%5Cb", "%25"])
def test_what_can_be_no_id_in_a_path_is_not_found(client: Client, item: str) -> None:
    answer = client("GET", f"/v1/items/{item}/thumbnail")
    assert answer.status_code == 404
    assert "item id" in answer.json()["detail"]


def test_plain_ids_are_found_by_a_path(client: Client, store: CodeStore, folder: Path) -> None:
    digest = Pictures.open(folder).put(PICTURES[1])
    for item_id in ("plain", "train/Sock/0001.png", "é 日", "a?b#c"):
        store.upsert(COLLECTION, [Item(item_id, thumbnail=digest)])
        for sent in (quote(item_id), quote(item_id, safe="")):
            answer = client("GET", f"/v1/items/{sent}/thumbnail")
            assert (answer.status_code, answer.content) == (200, PICTURES[1])


def test_items_that_are_not_there_or_have_no_thumbnail_are_not_found(
    client: Client, store: CodeStore
) -> None:
    store.upsert(COLLECTION, [Item("plain")])
    store.delete(COLLECTION, [" "])
    for item_id in ("plain", " ", "never there"):
        status, error = thumbnail(client, item_id)
        assert (status, error) == (404, f"item {item_id!r} has no thumbnail: use an id from a search")


def test_a_picture_that_is_lost_is_not_found_and_a_damaged_one_is_the_servers_fault(
    client: Client, folder: Path
) -> None:
    for item_id, status, told in [("%", 404, "is not in the picture store"), ("ÿ", 503, "is damaged")]:
        digest = digest_of(item_id.encode())
        file = folder / digest[:2] / digest[2:]
        file.unlink() if status == 404 else file.write_bytes(b"another picture")
        found, error = thumbnail(client, item_id)
        assert found == status
        assert told in error
        assert str(folder) not in error


def test_a_picture_that_the_client_has_is_not_sent_again(client: Client) -> None:
    put(client, "a", LARGE)
    for address in (link("image", "a"), link("thumbnail", "a")):
        tag = client("GET", address).headers["etag"]
        for known, status in ((tag, 304), (f'"x", {tag}', 304), ('"x"', 200), ("", 200)):
            answer = client("GET", address, headers={"If-None-Match": known})
            assert (answer.status_code, bool(answer.content)) == (status, status == 200)
    put(client, "a", PICTURES[1])
    assert client("GET", link("image", "a"), headers={"If-None-Match": tag}).content == PICTURES[1]


def test_a_process_without_pictures_says_so(client: Client) -> None:
    client.service.pictures = None
    status, error = thumbnail(client, "%")
    assert status == 503
    assert "TAXOHASH_PICTURES" in error
    assert "TAXOHASH_PICTURES" in detail(put(client, "a"), 503)


def test_a_picture_store_that_cannot_be_read_is_503(client: Client, folder: Path) -> None:
    digest = digest_of(b"%")
    (folder / digest[:2] / digest[2:]).unlink()
    (folder / digest[:2] / digest[2:]).mkdir()
    answer = client("GET", "/v1/thumbnail?id=%25")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


# -- put and get -----------------------------------------------------------------------------------


@pytest.mark.parametrize("item_id", [*HOSTILE_IDS, "plain", "a/b"])
def test_an_item_is_put_told_and_deleted_whatever_its_id_is(
    client: Client, store: CodeStore, item_id: str
) -> None:
    store.delete(COLLECTION, [item_id])
    answer = put(client, item_id, LARGE, labels=[CRIMSON], tags=["é", "b"])
    assert answer.status_code == 201
    told = Put.model_validate(answer.json())
    assert (told.id, told.new, answer.headers["location"]) == (item_id, True, told.links.item)
    found = client("GET", f"{told.links.item}&token={told.token}")
    item = ItemTold.model_validate(found.json())
    assert (item.id, item.state, item.code, item.links) == (item_id, "searchable", told.code, told.links)
    assert (item.label_paths, item.tags, item.origin) == ([CRIMSON.split("/")], ["é", "b"], "api")
    assert told.links.image
    assert told.links.thumbnail
    original = client("GET", told.links.image)
    assert (original.content, original.headers["content-type"]) == (LARGE, "image/jpeg")
    assert "sandbox" in original.headers["content-security-policy"]
    assert client("GET", told.links.thumbnail).content == small(LARGE)
    gone = client("DELETE", told.links.item)
    assert Deleted.model_validate(gone.json()).pictures == "removed"
    for address in (told.links.item, told.links.image, told.links.thumbnail):
        assert client("GET", f"{address}").status_code == 404
    assert client("GET", f"{told.links.similar}&token={gone.json()['token']}").status_code == 404
    assert "there is no item" in detail(client("DELETE", told.links.item), 404)


def test_the_code_is_that_of_the_hasher(client: Client, hasher: Hasher) -> None:
    expected = hasher.encode([decode(LARGE)])[0].tobytes().hex()
    encoded_picture = base64.b64encode(LARGE).decode()
    answers = [
        put(client, "a", LARGE),
        client("PUT", "/v1/items/b", files={"image": ("p", LARGE)}, data={"labels": [CRIMSON]}),
        client("PUT", "/v1/items/c", json={"image": encoded_picture}),
        client("PUT", "/v1/items/d", json={"code": expected.upper(), "generation": hasher.generation.id}),
    ]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert {answer.json()["code"] for answer in answers} == {expected}
    assert {answer.headers["x-generation"] for answer in answers} == {hasher.generation.id}
    assert [answer.json()["links"]["image"] is None for answer in answers] == [False, False, False, True]


def test_the_next_search_with_the_token_finds_it(client: Client) -> None:
    for number in range(20):
        token = put(client, f"new {number}", LARGE).json()["token"]
        found = client("POST", "/v1/search", json={"id": f"new {number}", "k": 300, "token": token}).json()
        assert {f"new {other}" for other in range(number)} <= {result["id"] for result in found["results"]}


def test_a_repeated_put_changes_nothing_and_another_replaces(client: Client, folder: Path) -> None:
    before = kept(folder)
    first, again = put(client, "a", LARGE, tags=["x"]), put(client, "a", LARGE, tags=["x"])
    assert [(answer.status_code, answer.json()["new"]) for answer in (first, again)] == [
        (201, True),
        (200, False),
    ]
    assert kept(folder) - before == {digest_of(LARGE), digest_of(small(LARGE))}
    other = put(client, "a", PICTURES[1])
    assert other.status_code == 200
    item = get(client, "a", other.json()["token"]).json()
    assert (item["tags"], item["label_paths"]) == ([], [])
    assert client("GET", item["links"]["image"]).content == PICTURES[1]
    assert client("DELETE", "/v1/items/nobody").status_code == 404
    client("DELETE", "/v1/items/a")
    assert kept(folder) == before  # what was replaced is gone too


def test_pictures_that_another_item_has_stay(client: Client, folder: Path, store: CodeStore) -> None:
    digest = Pictures.open(folder).put(PICTURES[2])
    store.upsert(COLLECTION, [Item("thumb", thumbnail=digest)])
    before = kept(folder)
    for item_id in ("a", "b"):
        put(client, item_id, LARGE)
    put(client, "c", PICTURES[2])
    assert client("DELETE", "/v1/items/a").json()["pictures"] == "removed"
    assert client("GET", link("image", "b")).content == LARGE
    client("DELETE", "/v1/items/b")
    client("DELETE", "/v1/items/c")
    assert kept(folder) == before
    assert client("GET", link("thumbnail", "thumb")).content == PICTURES[2]


def test_codes_in_other_generations_come_later_and_go_at_once(client: Client, store: CodeStore) -> None:
    other = GenerationRef("other", 16, TAXONOMY.sha256)
    store.begin(COLLECTION, other)
    store.seal(COLLECTION, "other")
    put(client, "a", LARGE)
    assert [lack.id for part in store.lacking(COLLECTION, "other") for lack in part] == ["a"]
    served = store.pointer(COLLECTION).generation
    assert served
    store.put_codes(COLLECTION, "other", ["a"], np.ones((1, 2), np.uint8))
    client("DELETE", "/v1/items/a")
    for generation in ("other", served.id):
        assert store.held_items(COLLECTION, ["a"], generation) == [None]


def test_what_cannot_be_encoded_says_why(client: Client, store: CodeStore) -> None:
    store.upsert(COLLECTION, [Item("bare"), Item("waits", picture="ab" * 32)])
    bare, waits = get(client, "bare").json(), get(client, "waits").json()
    assert (bare["state"], bare["code"]) == ("cannot be encoded", None)
    assert "has no picture" in bare["reason"]
    assert (waits["state"], waits["reason"]) == ("being encoded", None)


def test_items_of_a_data_set_are_told_too(client: Client) -> None:
    item = ItemTold.model_validate(get(client, "item 100").json())
    assert (item.origin, item.state, item.links.image, item.links.thumbnail) == (
        "data",
        "searchable",
        None,
        None,
    )
    assert "has no original" in detail(client("GET", link("image", "item 100")), 404)


# -- what is refused -------------------------------------------------------------------------------


def test_a_code_of_another_generation_is_refused_with_both_names(client: Client, hasher: Hasher) -> None:
    said = detail(client("PUT", "/v1/items/a", json={"code": "ff", "generation": "0123"}), 409)
    assert "0123" in said
    assert hasher.generation.id in said


@pytest.mark.parametrize("code", ["", "f", "fff", "zz", "ff ff 00", "0xffff", "ffff", "ffffff", "ffffffff"])
def test_a_code_that_is_none_is_refused(client: Client, hasher: Hasher, code: str) -> None:
    told = {"code": code, "generation": hasher.generation.id}
    assert "give 6 hexadecimal digits" in detail(client("PUT", "/v1/items/a", json=told), 400)


def test_what_is_wrong_is_refused_and_nothing_is_left(client: Client, folder: Path) -> None:
    before = kept(folder)
    assert "did you mean" in detail(put(client, "a", labels=["warm/red/crimso"]), 400)
    assert "cannot be decoded" in detail(put(client, "a", b"no picture"), 422)
    assert "each once" in detail(put(client, "a", tags=["x", "x"]), 400)
    assert "not known" in detail(put(client, "a", colour="red"), 400)
    assert "content type" in detail(put(client, "a", headers={"Content-Type": "text/plain"}), 415)
    assert "not known" in detail(client("DELETE", "/v1/items/a?force=1"), 400)
    assert "not known" in detail(client("GET", "/v1/thumbnail?id=a&token=x"), 400)
    assert "cannot stand in a path" in detail(
        client("PUT", "/v1/items/a/thumbnail", content=LARGE, headers=PNG), 404
    )
    assert "/v1/item?id=" in detail(client("DELETE", "/v1/items/a/"), 404)
    assert get(client, "a").status_code == 404
    assert kept(folder) == before


@pytest.mark.parametrize("token", ["x", "ffffffff.0-1", "0123abcd.9999-1"])
def test_a_token_that_is_none_is_refused(client: Client, token: str) -> None:
    for path in ("/v1/items/a", "/v1/items/a/similar"):
        assert "token" in detail(client("GET", path, params={"token": token}), 400)


def test_a_token_of_what_does_not_come_is_503(hasher: Hasher, store: CodeStore, folder: Path) -> None:
    limits = replace(settings_of(hasher).limits, store_seconds=1.0)
    client = Client(settings_of(hasher, pictures=str(folder), limits=limits), lambda seconds: store)
    try:
        token = put(client, "a").json()["token"]
        late = f"{token.partition('.')[0]}.0-999999"
        assert "not applied" in detail(get(client, "a", late), 503)
        assert get(client, "a", token).status_code == 200
        assert client.service.status(client.service.standing()) == "ready"  # whatever a token says
    finally:
        client.close()


def test_a_body_that_is_too_large_is_refused(hasher: Hasher, store: CodeStore, folder: Path) -> None:
    limits = replace(settings_of(hasher).limits, body_bytes=100)
    client = Client(settings_of(hasher, pictures=str(folder), limits=limits), lambda seconds: store)
    try:
        assert "TAXOHASH_MAX_BODY_BYTES" in detail(put(client, "a", b"x" * 101), 413)
    finally:
        client.close()


# -- stores that do not take it --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NoPermissionError("NOPERM"), 503, "TAXOHASH_REDIS_URL"),
        (FullError("OOM"), 507, "no room left"),
        (StoreUnavailableError("redis://secret does not answer"), 503, "does not answer"),
    ],
)
def test_a_store_that_does_not_take_it_is_told_in_one_sentence(
    client: Client,
    store: CodeStore,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    said: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    for call in ("upsert", "edit", "delete"):
        monkeypatch.setattr(store, call, fail)
    for answer in (
        put(client, "a", LARGE),
        edit(client, "a", tags=["x"]),
        client("DELETE", "/v1/items/a"),
    ):
        told = detail(answer, status)
        assert said in told
        assert "redis://" not in told
    batch = client("POST", "/v1/items", json={"items": [{"id": i, "image": "%"} for i in "ab"]})
    assert [result["status"] for result in batch.json()["results"]] == [400, 400]


def test_a_write_whose_answer_does_not_come_is_told_so(
    hasher: Hasher, store: CodeStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, upsert = threading.Event(), store.upsert

    def wait(*arguments: Any, **named: Any) -> Any:
        assert go.wait(60)
        return upsert(*arguments, **named)

    monkeypatch.setattr(store, "upsert", wait)
    limits = replace(settings_of(hasher).limits, store_seconds=0.3)
    client = Client(settings_of(hasher, pictures=str(folder), limits=limits), lambda seconds: store)
    try:
        said = detail(put(client, "a", LARGE, headers=key("k")), 503)
        assert "whether it was written is not known" in said
        go.set()
        until(lambda: store.item(COLLECTION, "a"))  # late
        assert put(client, "a", LARGE, headers=key("k")).json()["new"]  # as the first would have answered
        assert client("GET", link("image", "a")).content == LARGE
    finally:
        client.close()


def test_pictures_of_a_write_that_was_refused_are_removed(
    client: Client, store: CodeStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(folder)

    def fail(*_: Any, **__: Any) -> None:
        assert digest_of(LARGE) in kept(folder)
        raise FullError("OOM")

    monkeypatch.setattr(store, "upsert", fail)
    detail(put(client, "a", LARGE), 507)
    detail(client("DELETE", "/v1/items/nobody"), 404)  # whatever was begun before
    client._runner.run(client.service.unused.gone([digest_of(LARGE)], 30.0))
    assert kept(folder) == before


def test_nothing_is_uploaded_while_the_store_is_away(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(folder)
    monkeypatch.setattr(client.service, "store", lambda: NoStore())
    assert "does not answer" in detail(put(client, "a", LARGE), 503)
    assert "does not answer" in detail(client("DELETE", "/v1/items/a"), 503)
    told = {"items": [{"id": i, "image": base64.b64encode(LARGE).decode()} for i in "ab"]}
    results = client("POST", "/v1/items", json=told).json()["results"]
    assert [result["status"] for result in results] == [503, 503]
    assert kept(folder) == before
    assert client("GET", "/v1/items/item%20100/similar").status_code == 200  # from memory


def test_a_picture_store_that_takes_nothing_is_told(client: Client, folder: Path) -> None:
    digest = digest_of(LARGE)
    (folder / digest[:2]).mkdir(exist_ok=True)
    (folder / digest[:2] / digest[2:]).mkdir()
    assert "TAXOHASH_PICTURES" in detail(put(client, "a", LARGE), 503)
    assert get(client, "a").status_code == 404


def test_pictures_that_went_meanwhile_are_put_again(
    client: Client, store: CodeStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert = store.upsert

    def write(*arguments: Any, **named: Any) -> Any:
        Pictures.open(folder).delete(digest_of(LARGE))
        return upsert(*arguments, **named)

    monkeypatch.setattr(store, "upsert", write)
    put(client, "a", LARGE)
    assert client("GET", link("image", "a")).content == LARGE


# -- edits -----------------------------------------------------------------------------------------


def edit(client: Client, item_id: str, headers: dict[str, str] | None = None, **said: Any) -> httpx.Response:
    return client("PATCH", "/v1/item", params={"id": item_id}, json=said, headers=headers)


@pytest.mark.parametrize("address", ["/v1/item?id=a", "/v1/items/a"])
def test_an_edit_changes_what_it_names_and_leaves_the_rest(client: Client, address: str) -> None:
    before = put(client, "a", LARGE, labels=[CRIMSON], tags=["summer"]).json()
    told = Edited.model_validate(client("PATCH", address, json={"tags": ["winter", "new"]}).json())
    item = get(client, "a", told.token).json()
    assert (item["label_paths"], item["tags"]) == ([CRIMSON.split("/")], ["winter", "new"])
    token = client("PATCH", address, json={"labels": ["cold/blue/navy", CRIMSON]}).json()["token"]
    item = get(client, "a", token).json()
    assert ["/".join(path) for path in item["label_paths"]] == ["cold/blue/navy", CRIMSON]
    assert item["tags"] == ["winter", "new"]
    assert item["code"] == before["code"]
    assert client("GET", link("image", "a")).content == LARGE
    token = client("PATCH", address, json={"labels": [], "tags": []}).json()["token"]
    item = get(client, "a", token).json()
    assert (item["label_paths"], item["tags"], item["code"]) == ([], [], before["code"])


def test_an_item_of_a_data_set_is_edited(client: Client) -> None:
    token = edit(client, "item 100", labels=[CRIMSON]).json()["token"]
    item = get(client, "item 100", token).json()
    assert (item["origin"], item["state"], item["label_paths"]) == ("api", "searchable", [CRIMSON.split("/")])
    found = client("GET", "/v1/items/item 100/similar").json()["results"]
    assert found


def test_what_cannot_be_changed_is_refused(client: Client) -> None:
    assert "there is no item" in detail(edit(client, "nobody", tags=["x"]), 404)
    assert "give 'labels', 'tags' or both" in detail(edit(client, "item 100"), 400)
    assert "image" in detail(edit(client, "item 100", image="x"), 400)
    assert "did you mean" in detail(edit(client, "item 100", labels=["red/crimson"]), 400)
    assert "given twice" in detail(edit(client, "item 100", labels=[CRIMSON, CRIMSON]), 400)
    assert "tag" in detail(edit(client, "item 100", tags=["x" * 65]), 400)
    assert "item id" in detail(edit(client, "", tags=["x"]), 400)
    assert "send application/json" in detail(
        client("PATCH", "/v1/item?id=a", content=LARGE, headers={"Content-Type": "text/plain"}), 415
    )
    assert "not known" in detail(client("PATCH", "/v1/item?id=a&labels=x", json={"tags": []}), 400)
    assert get(client, "item 100").json()["origin"] == "data"


def test_an_edit_that_is_sent_again_is_made_once(client: Client) -> None:
    put(client, "a", LARGE)
    first = edit(client, "a", key("k"), tags=["x"])
    edit(client, "a", tags=["y"])
    assert edit(client, "a", key("k"), tags=["x"]).json() == first.json()
    assert get(client, "a").json()["tags"] == ["y"]
    assert "Idempotency-Key" in detail(edit(client, "a", key("k"), tags=["z"]), 409)


def test_an_edit_undoes_no_put_that_comes_meanwhile(
    client: Client, store: CodeStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process puts another picture between what this one reads and what it writes."""
    first = put(client, "a", PICTURES[1], labels=[CRIMSON], tags=["before"]).json()
    before, other = store.pictures_of(COLLECTION, ["a"]), Pictures.open(folder).put_many([LARGE])[0]
    code = np.zeros((1, 3), np.uint8)
    change = store.edit

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        store.upsert(COLLECTION, [Item("a", picture=other, tags=("between",))], {first["generation"]: code})
        return change(*arguments, **named)

    monkeypatch.setattr(store, "edit", meanwhile)
    token = edit(client, "a", labels=["cold/blue/navy"]).json()["token"]
    item = get(client, "a", token).json()
    assert (item["tags"], item["label_path"]) == (["between"], ["cold", "blue", "navy"])
    assert item["code"] == code.tobytes().hex() != first["code"]
    assert client("GET", link("image", "a")).content == LARGE
    until(lambda: not before & kept(folder))  # nobody has them any more


# -- requests that are sent again ------------------------------------------------------------------


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def test_a_request_that_is_sent_again_neither_doubles_nor_resurrects(client: Client, folder: Path) -> None:
    before = kept(folder)
    first = put(client, "a", LARGE, headers=key("k1"))
    assert put(client, "a", LARGE, headers=key("k1")).json() == first.json()
    deleted = client("DELETE", "/v1/items/a", headers=key("k2"))
    assert client("DELETE", "/v1/items/a", headers=key("k2")).json() == deleted.json()
    late = put(client, "a", LARGE, headers=key("k1"))
    assert late.json() == first.json()  # its answer was lost; and nothing is there
    assert get(client, "a", late.json()["token"]).status_code == 404
    client._runner.run(client.service.unused.gone([digest_of(LARGE)], 30.0))
    assert kept(folder) == before


def test_a_key_is_for_one_request_about_an_item(client: Client) -> None:
    put(client, "a", LARGE, headers=key("k"))
    assert "Idempotency-Key" in detail(put(client, "a", PICTURES[1], headers=key("k")), 409)
    assert "Idempotency-Key" in detail(put(client, "a", LARGE, tags=["x"], headers=key("k")), 409)
    assert "Idempotency-Key" in detail(client("DELETE", "/v1/items/a", headers=key("k")), 409)
    assert client("GET", link("image", "a")).content == LARGE
    assert put(client, "b", LARGE, headers=key("k")).status_code == 201
    assert put(client, "a", PICTURES[1], headers=key("another")).status_code == 200


@pytest.mark.parametrize("text", ["", "a b", "x" * 129])
def test_a_key_that_is_none_is_refused(client: Client, text: str) -> None:
    assert "Idempotency-Key" in detail(put(client, "a", headers=key(text)), 400)


# -- similar ---------------------------------------------------------------------------------------


def test_similar_items_are_the_nearest_by_code_without_itself(client: Client, snapshot: Snapshot) -> None:
    row = 100
    distances = np.unpackbits(snapshot.codes ^ snapshot.codes[row], axis=1).sum(axis=1)
    order = [int(i) for i in np.lexsort((np.arange(300), distances)) if i != row]
    for path in ("/v1/items/item 100/similar?k=20", "/v1/similar?id=item%20100&k=20"):
        answer = Answer.model_validate(client("GET", path).json())
        assert [result.distance for result in answer.results] == distances[order[:20]].tolist()
        assert answer.query.id == "item 100"
        assert "item 100" not in {result.id for result in answer.results}
    below = client("GET", "/v1/items/item 100/similar?within=cold&k=300").json()["results"]
    assert below
    assert all(result["label_path"][0] == "cold" for result in below)
    assert "no node" in detail(client("GET", "/v1/items/item 100/similar?within=nowhere"), 400)
    assert "TAXOHASH_MAX_K" in detail(client("GET", "/v1/items/item 100/similar?k=0"), 400)
    assert "x" in detail(client("GET", "/v1/items/item 100/similar?generation=x"), 409)
    assert "there is no item" in detail(client("GET", "/v1/items/nobody/similar"), 404)


# -- batches ---------------------------------------------------------------------------------------


def test_each_item_of_a_batch_has_its_own_result(client: Client, hasher: Hasher, folder: Path) -> None:
    code = hasher.encode([decode(PICTURES[3])])[0].tobytes().hex()
    items: list[dict[str, Any]] = [
        {"id": "a", "file": "one", "labels": [CRIMSON]},
        {"id": "b", "file": "two"},
        {"id": "c", "code": code, "generation": hasher.generation.id},
        {"id": "d", "code": code, "generation": "zzz"},
        {"id": "e", "image": base64.b64encode(PICTURES[4]).decode(), "labels": ["nowhere"]},
        {"id": "item 100", "image": base64.b64encode(PICTURES[4]).decode()},
    ]
    files = {"one": ("1", LARGE), "two": ("2", b"no picture")}
    answer = client("POST", "/v1/items", data={"items": json.dumps(items)}, files=files)
    told = BatchTold.model_validate(answer.json())
    assert [result.id for result in told.results] == [item["id"] for item in items]
    assert [result.status for result in told.results] == [201, 422, 201, 409, 400, 200]
    assert [result.put is not None for result in told.results] == [True, False, True, False, False, True]
    assert told.token
    assert [get(client, item_id, told.token).status_code for item_id in "abcde"] == [200, 404, 200, 404, 404]
    assert client("GET", link("image", "a")).content == LARGE
    again = client("POST", "/v1/items", json={"items": items[2:3]}, headers=key("k"))
    assert [result["status"] for result in again.json()["results"]] == [200]


def test_an_item_of_wrong_shape_is_refused_by_itself(client: Client) -> None:
    image = base64.b64encode(PICTURES[4]).decode()
    items: list[Any] = [
        {"id": "a", "image": image},
        5,
        {"image": image},
        {"id": 7, "image": image},
        {"id": "b", "image": image, "x": 1},
        {"id": "c", "image": image, "tags": "blue"},
        {"id": "d"},
        {"id": "e", "file": "nowhere"},
        {"id": "f", "file": "one", "image": image},
        {"id": "g", "code": "00"},
    ]
    files = {"one": ("1", LARGE)}
    answer = client("POST", "/v1/items", data={"items": json.dumps(items)}, files=files)
    told = BatchTold.model_validate(answer.json())
    assert [result.id for result in told.results] == ["a", None, None, None, *"bcdefg"]
    assert [result.status for result in told.results] == [201, *[400] * 9]
    said = [result.problem.detail if result.problem else "" for result in told.results]
    for part, own in zip(
        (
            "item is 5",
            "id is missing",
            "id is 7",
            "'x' is not known",
            "tags",
            "one of",
            "nowhere",
            "one of",
            "code",
        ),
        said[1:],
        strict=True,
    ):
        assert part in own
    assert [get(client, item_id, told.token).status_code for item_id in "ab"] == [200, 404]


def test_a_batch_that_is_none_is_refused_whole(client: Client) -> None:
    assert "at most 64" in detail(
        client("POST", "/v1/items", json={"items": [{"id": str(i), "image": "x"} for i in range(65)]}), 400
    )
    assert "content type" in detail(client("POST", "/v1/items", content=LARGE, headers=PNG), 415)
    assert "items is 5" in detail(client("POST", "/v1/items", json={"items": 5}), 400)
    told = {"items": json.dumps([{"id": "a", "image": ""}])}
    assert "names the file" in detail(client("POST", "/v1/items", data=told, files={"x": ("1", LARGE)}), 400)
    twice = {"items": [{"id": "a", "image": ""}] * 2}
    assert "given twice" in detail(client("POST", "/v1/items", json=twice), 400)
    assert "not known" in detail(client("POST", "/v1/items?x=1", json={"items": []}), 400)


def test_a_batch_of_nothing_that_can_be_put_has_no_token(client: Client) -> None:
    told = client("POST", "/v1/items", json={"items": [{"id": "a", "image": "%"}]}).json()
    assert told["token"] is None
    assert told["results"][0]["problem"]["type"] == "urn:taxohash:parameter"


def test_a_store_that_goes_away_is_asked_once_for_a_batch(
    client: Client, store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def fail(*_: Any, **__: Any) -> None:
        nonlocal asked
        asked += 1
        raise StoreUnavailableError("away")

    monkeypatch.setattr(store, "upsert", fail)
    told = {"items": [{"id": i, "image": base64.b64encode(PICTURES[0]).decode()} for i in "abcd"]}
    results = client("POST", "/v1/items", json=told).json()["results"]
    assert [result["status"] for result in results] == [503] * 4
    assert asked == 1


def test_pictures_of_one_item_that_is_put_many_times_at_once_are_all_gone_with_it(
    client: Client, folder: Path
) -> None:
    before = kept(folder)

    async def all_at_once() -> list[int]:
        async with httpx.AsyncClient(transport=client._transport, base_url="http://localhost") as asking:
            several = (
                asking.put("/v1/item", params={"id": "one"}, content=picture, headers=PNG)
                for picture in pictures(24, seed=3)
            )
            return [answer.status_code for answer in await asyncio.gather(*several)]

    assert sorted(client._runner.run(all_at_once())) == [200] * 23 + [201]
    assert client("DELETE", "/v1/item", params={"id": "one"}).status_code == 200
    until(lambda: get(client, "one").status_code == 404 and kept(folder) == before)


# -- what a batch costs ----------------------------------------------------------------------------


def test_things_of_a_batch_count_as_requests_of_their_key(
    hasher: Hasher, store: CodeStore, folder: Path, tmp_path: Path
) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    for name in ("search", "write", "admin"):
        keyring.keys[name] = key_of(keyring.secrets[name], name, name, rate=1.0, burst=3)
    keyring.write()
    client = Client(
        settings_of(hasher, pictures=str(folder), api_keys_file=str(keyring.path)), lambda seconds: store
    )
    image = base64.b64encode(PICTURES[0]).decode()
    batches: dict[str, tuple[str, dict[str, Any]]] = {
        "search": ("/v1/search", {"queries": [{"id": HOSTILE_IDS[0]}] * 60}),
        "write": ("/v1/items", {"items": [{"id": f"many {n}", "image": image} for n in range(60)]}),
        "admin": ("/v1/encode", {"images": [image] * 60}),
    }
    try:
        for name, (path, batch) in batches.items():
            headers = keyring.headers(name)
            assert client("POST", path, json=batch, headers=headers).status_code == 200
            answer = client("GET", "/v1/taxonomy", headers=headers)
            assert "this key may ask 1 times a second" in detail(answer, 429)
            assert int(answer.headers["retry-after"]) > 40
    finally:
        client.close()
