"""What is told of what is served is as its models say."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, Snapshot
from services.retrieval.routes import ENDPOINTS
from services.retrieval.schemas.describe import MapTold, RightsTold
from taxohash.codes import unpack
from taxohash.evaluation.projection import projection
from taxohash.generation.hasher import Hasher
from taxohash.runtime.configuration import plain
from tests.support.application import Client, filled, ref_of, settings_of
from tests.support.generations import make_generation
from tests.support.keyring import Keyring


@pytest.mark.parametrize("name", ["taxonomy", "generation", "stats", "examples", "generations"])
@pytest.mark.parametrize("catalogue", ["client", "sets_client"])
def test_each_is_as_its_model_says(catalogue: str, name: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(catalogue)
    (endpoint,) = (endpoint for endpoint in ENDPOINTS if endpoint.name == name)
    got = client("GET", endpoint.path)
    assert got.status_code == 200
    assert endpoint.told
    endpoint.told.model_validate(got.json())


# -- the map ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a generation with a map."""
    folder: Path = tmp_path_factory.mktemp("mapped")
    made = make_generation(folder)
    replace(made, projection=plain(projection(snapshot.codes, made.bits))).write(folder)
    hasher, store = Hasher(folder), CodeStore.connect("memory://")
    filled(store, replace(snapshot, generation=ref_of(hasher)))
    client = Client(settings_of(hasher), lambda seconds: store)
    yield client
    client.close()


def test_the_map_places_items_as_its_weights_place_their_codes(mapped: Client, snapshot: Snapshot) -> None:
    told = MapTold.model_validate(mapped("GET", "/v1/map").json())
    assert (told.items, len(told.sample)) == (300, 300)
    codes = dict(zip(snapshot.ids.tolist(), unpack(snapshot.codes, told.bits).tolist(), strict=True))
    for item in told.sample:
        bits = codes[item.id]
        for axis in (0, 1):
            added = sum(
                weight[axis] for weight, bit in zip(told.projection.weights, bits, strict=True) if bit
            )
            assert item.place[axis] == pytest.approx(told.projection.offset[axis] + added, abs=1e-3)
        assert item.label_path == mapped("GET", f"/v1/items/{item.id}").json()["label_path"]
        if item is told.sample[9]:
            break


def test_of_many_items_each_top_level_node_has_its_share(
    mapped: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.retrieval.mapped.MOST", 20)
    told = mapped.service.served.engine.describe_map()  # type: ignore[union-attr]
    assert told["items"] == 300
    assert Counter(item["label_path"][0] for item in told["sample"]) == {"warm": 10, "cold": 10}


def test_the_map_is_not_sent_again_to_who_has_it(mapped: Client) -> None:
    first = mapped("GET", "/v1/map")
    assert first.headers["cache-control"] == "private, no-cache"
    again = mapped("GET", "/v1/map", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert mapped("GET", "/v1/map", headers={"If-None-Match": '"other"'}).content == first.content


def test_an_item_that_is_deleted_is_not_on_the_map(mapped: Client) -> None:
    code = "00" * 3
    put: dict[str, Any] = {"code": code, "generation": mapped("GET", "/v1/generation").json()["id"]}
    token = mapped("PUT", "/v1/items/late", json=put).json()["token"]
    mapped("GET", "/v1/items/late", params={"token": token})
    engine = mapped.service.served.engine  # type: ignore[union-attr]
    (late,) = (item for item in engine.describe_map()["sample"] if item["id"] == "late")
    offset = np.array(engine.describe_map()["projection"]["offset"])
    assert late["place"] == pytest.approx(offset, abs=1e-3)  # no bit of it is set
    token = mapped("DELETE", "/v1/items/late").json()["token"]
    mapped("GET", "/v1/items/late", params={"token": token})
    assert "late" not in {item["id"] for item in engine.describe_map()["sample"]}


def test_a_generation_without_a_map_says_so(client: Client) -> None:
    answer = client("GET", "/v1/map")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:taxohash:map")
    assert "was made without a map of its codes: evaluate its run again" in answer.json()["detail"]


# -- rights ----------------------------------------------------------------------------------------


def test_who_asks_is_told_what_it_may_do_and_nothing_of_others(
    hasher: Hasher, snapshot: Snapshot, tmp_path: Path
) -> None:
    keyring, store = Keyring(tmp_path / "keys.json"), CodeStore.connect("memory://")
    filled(store, snapshot)
    for admin_url in (None, "memory://"):
        settings = settings_of(hasher, api_keys_file=str(keyring.path), admin_redis_url=admin_url)
        client = Client(settings, lambda seconds: store)
        try:
            for role in ("search", "write", "admin"):
                told = client("GET", "/v1/rights", headers=keyring.headers(role)).json()
                publishes = role == "admin" and admin_url is not None
                assert told == RightsTold(role=role, publishes=publishes).model_dump()
            assert client("GET", "/v1/rights").status_code == 401
        finally:
            client.close()


def test_without_keys_writes_are_open_on_this_machine(client: Client) -> None:
    assert client("GET", "/v1/rights").json() == {"role": "write", "publishes": False}


@pytest.mark.parametrize(
    "name", [one.name for one in ENDPOINTS if one.access != "public" and one.parameters is None]
)
def test_what_takes_no_parameters_refuses_each(client: Client, name: str) -> None:
    (endpoint,) = (endpoint for endpoint in ENDPOINTS if endpoint.name == name)
    path = endpoint.path.replace("{generation}", "x")
    answer = client(endpoint.method, path, params={"k": "3"})
    if endpoint.access == "admin":  # which is closed without keys
        assert answer.status_code == 401
        return
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert "k" in answer.json()["detail"]


def test_an_address_of_the_page_is_its_own(client: Client) -> None:
    assert client("GET", "/", params={"k": "3"}).status_code == 200
    assert client("GET", "/livez", params={"k": "3"}).status_code == 200
