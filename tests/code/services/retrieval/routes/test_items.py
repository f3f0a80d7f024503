"""Thumbnails of items whatever their ids are, and whatever became of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from services.codestore import CodeStore, Item, Snapshot
from services.codestore.pictures import Pictures, digest_of
from taxohash.generation.hasher import Hasher
from tests.support.application import Client, filled, settings_of
from tests.support.generations import pictures
from tests.support.hostile_ids import HOSTILE_IDS

COLLECTION = "default"


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


def thumbnail(client: Client, item_id: str) -> tuple[int, str]:
    """Status and error of the request for it."""
    answer = client("GET", f"/v1/items/{quote(item_id, safe='')}/thumbnail")
    return answer.status_code, answer.json()["detail"]


def test_the_address_in_an_answer_leads_to_the_item(client: Client) -> None:
    results = client.search(pictures(1)[0], k="300").json()["results"]
    addresses = {result["id"]: result["thumbnail"] for result in results}
    for item_id in HOSTILE_IDS:
        answer = client("GET", addresses[item_id])
        assert (answer.status_code, answer.content) == (200, item_id.encode()), item_id
        assert answer.headers["Cache-Control"] == "private, max-age=3600"


@pytest.mark.parametrize("item", ["", "a" * 1025, "%ED%A0%80" * 400])
def test_what_can_be_no_id_is_not_found(client: Client, item: str) -> None:
    answer = client("GET", f"/v1/items/{item}/thumbnail")
    assert answer.status_code == 404
    assert "item id" in answer.json()["detail"]


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


def test_a_process_without_pictures_says_so(client: Client) -> None:
    client.service.pictures = None
    status, error = thumbnail(client, "%")
    assert status == 503
    assert "TAXOHASH_PICTURES" in error


def test_a_picture_store_that_cannot_be_read_is_503(client: Client, folder: Path) -> None:
    digest = digest_of(b"%")
    (folder / digest[:2] / digest[2:]).unlink()
    (folder / digest[:2] / digest[2:]).mkdir()
    answer = client("GET", "/v1/items/%25/thumbnail")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
