"""Thumbnails of items whatever their ids are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.codestore import Snapshot
from services.codestore.checks import check_ids
from tests.support.application import Client
from tests.support.generations import pictures
from tests.support.hostile_ids import HOSTILE_IDS


class Pictures:
    """A code store in which every item's picture is its own id."""

    def thumbnail(self, collection: str, item_id: str) -> bytes | None:
        (known,) = check_ids([item_id])
        return known.encode()

    def close(self) -> None:
        pass


@pytest.fixture
def client(make_client: Callable[..., Client], snapshot: Snapshot) -> Iterator[Client]:
    """Its first items have the ids that are hardest to carry."""
    ids = np.array([*HOSTILE_IDS, *snapshot.ids[len(HOSTILE_IDS) :]], object)
    made = make_client(codes=replace(snapshot, ids=ids))
    assert made.loaded is not None
    store: Any = Pictures()
    own = Client(replace(made.loaded, store=store))
    yield own
    own.close()


def test_the_address_in_an_answer_leads_to_the_item(client: Client) -> None:
    results = client.search(pictures(1)[0], k="300").json()["results"]
    addresses = {result["id"]: result["thumbnail"] for result in results}
    for item_id in HOSTILE_IDS:
        answer = client("GET", addresses[item_id])
        assert (answer.status_code, answer.content) == (200, item_id.encode()), item_id


@pytest.mark.parametrize("item", ["", "a" * 1025, "%ED%A0%80" * 400])
def test_what_can_be_no_id_is_not_found(client: Client, item: str) -> None:
    answer = client("GET", f"/v1/items/{item}/thumbnail")
    assert answer.status_code == 404
    assert "item id" in answer.json()["error"]
