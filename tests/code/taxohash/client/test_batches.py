"""Uploads of many items: batches, refusals, interruptions, and going on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.retrieval.json_body import object_of
from taxohash.client import NEVER, BusyError, Refusal, RequestRefusedError, Retries, Upload
from taxohash.errors import TaxohashError
from tests.support.clients import KINDS, opened
from tests.support.false_service import URL, FalseService, answer, problem, put_answer

AT_ONCE = Retries(first=0.0, longest=0.0)
both = pytest.mark.parametrize("kind", KINDS)


def items_in(request: httpx.Request) -> list[dict[str, Any]]:
    found = re.search(rb'name="items"\r\n\r\n(.*?)\r\n--', request.content, re.DOTALL)
    return list(json.loads(found[1]) if found else json.loads(request.content)["items"])


def result(item_id: str, status: int = 201) -> dict[str, Any]:
    if status < 300:
        return {"id": item_id, "status": status, "put": put_answer(item_id)}
    told = {"type": "urn:taxohash:image", "title": "t", "status": status, "detail": "no picture"}
    return {"id": item_id, "status": status, "problem": told}


def stored(request: httpx.Request, bad: int = 422) -> httpx.Response:
    """All put but those that are named bad."""
    results = [result(item["id"], bad if "bad" in item["id"] else 201) for item in items_in(request)]
    return answer({"generation": "g", "token": "4f1d09aa.0-1", "results": results})


def uploads(number: int) -> Iterator[Upload]:
    return (Upload(f"item {n}", b"picture %d" % n) for n in range(number))


@both
@pytest.mark.parametrize("at_once", [1, 3])
def test_many_items_go_in_batches(kind: str, at_once: int) -> None:
    service = FalseService(stored)
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many(uploads(200), at_once=at_once)
        assert client.token == "4f1d09aa.0-1"
    assert (told.put, told.before, told.refused) == (200, 0, {})
    sent = [items_in(request) for request in service.requests]
    assert sorted(map(len, sent)) == [8, 64, 64, 64]
    assert sorted(item["id"] for batch in sent for item in batch) == sorted(f"item {n}" for n in range(200))
    for request, batch in zip(service.requests, sent, strict=True):
        for item in batch:
            picture = b"picture %d\r\n" % int(item["id"].split()[1])
            assert re.search(
                rb'name="%s"; filename="picture"\r\n[^\r]*\r\n\r\n%s' % (item["file"].encode(), picture),
                request.content,
            )


@both
def test_large_items_go_alone(kind: str) -> None:
    service = FalseService(stored)
    with opened(kind, URL, transport=service.transport) as client:
        client.put_many(Upload(f"{n}", bytes(4 << 20)) for n in range(3))
    assert [len(items_in(request)) for request in service.requests] == [1, 1, 1]


@both
def test_items_of_which_much_is_said_go_in_batches_that_are_read(kind: str) -> None:
    service = FalseService(stored)
    tags = [f"tag {n}" for n in range(60)]
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many((Upload(f"{n}", b"p", tags=tags) for n in range(64)), at_once=1)
    assert told.put == 64
    for request in service.requests:
        assert len(object_of(json.dumps({"items": items_in(request)}).encode())["items"]) <= 16
    assert len(service.requests) == 4


@both
def test_what_is_refused_is_told_and_the_rest_goes_on(kind: str, tmp_path: Path) -> None:
    service = FalseService(stored)
    items = [
        Upload("good", b"p"), Upload("bad", b"p"), Upload("none", tmp_path / "none.png"), Upload("neither"),
        Upload("code", code="ff", generation="g"), Upload("text", b"p", tags="cat"),
    ]  # fmt: skip
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many(items, journal=tmp_path / "journal")
    assert told.put == 2
    assert {name: refusal.status for name, refusal in told.refused.items()} == {
        "bad": 422,
        "none": 0,
        "neither": 0,
        "text": 0,
    }
    with opened(kind, URL, transport=service.transport) as client:
        again = client.put_many(items, journal=tmp_path / "journal")
    assert (again.put, again.before, set(again.refused)) == (0, 2, {"bad", "none", "neither", "text"})


@both
@pytest.mark.parametrize("status", [400, 413])
def test_an_item_for_which_its_batch_is_refused_is_told_and_the_rest_goes_on(kind: str, status: int) -> None:
    def taken(request: httpx.Request) -> httpx.Response:
        return problem(status, "body") if b"too much" in request.content else stored(request)

    service = FalseService(taken)
    items = [Upload(f"{n}", b"too much" if n == 5 else b"p") for n in range(9)]
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many(items)
    assert told.put == 8
    assert told.refused == {"5": Refusal(status, "body", "it cannot be")}


@both
def test_a_batch_that_does_not_arrive_in_time_goes_in_halves(kind: str) -> None:
    def arrived(request: httpx.Request) -> httpx.Response:
        return problem(408, "slow") if len(items_in(request)) > most else stored(request)

    service, most = FalseService(arrived), 2
    with opened(kind, URL, transport=service.transport) as client:
        assert client.put_many(uploads(8)).put == 8
    assert [len(items_in(request)) for request in service.requests] == [8, 4, 2, 2, 4, 2, 2]
    service, most = FalseService(arrived), 0
    with (
        opened(kind, URL, transport=service.transport) as client,
        pytest.raises(RequestRefusedError, match="408"),
    ):
        client.put_many(uploads(8))
    assert [len(items_in(request)) for request in service.requests] == [8, 4, 2, 1]


@both
def test_a_batch_that_is_refused_for_no_item_ends_it(kind: str) -> None:
    service = FalseService([problem(403, "role")])
    with (
        opened(kind, URL, transport=service.transport) as client,
        pytest.raises(RequestRefusedError, match="403"),
    ):
        client.put_many(uploads(2))


@both
def test_an_id_is_given_once(kind: str) -> None:
    with (
        opened(kind, URL, transport=FalseService(stored).transport) as client,
        pytest.raises(TaxohashError, match="'a' is given twice"),
    ):
        client.put_many([Upload("a", b"p"), Upload("a", b"q")])


@both
@pytest.mark.parametrize(("status", "error"), [(507, RequestRefusedError), (503, BusyError)])
def test_a_service_that_takes_no_more_ends_it_and_it_goes_on_from_there(
    kind: str, status: int, error: type[Exception], tmp_path: Path
) -> None:
    items = [Upload("one", b"p"), Upload("bad two", b"p"), Upload("three", b"p")]
    service = FalseService(lambda request: stored(request, status))
    with (
        opened(kind, URL, transport=service.transport, retries=AT_ONCE) as client,
        pytest.raises(error, match="bad two"),
    ):
        client.put_many(items, journal=tmp_path / "journal")
    service = FalseService(lambda request: stored(request, 201))
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many(items, journal=tmp_path / "journal")
    assert (told.put, told.before) == (1, 2)


@both
def test_an_upload_that_was_cut_off_goes_on_where_it_stopped(kind: str, tmp_path: Path) -> None:
    number = iter(range(100))

    def dies(request: httpx.Request) -> httpx.Response:
        return stored(request) if next(number) < 2 else problem(403, "role")

    with (
        opened(kind, URL, transport=FalseService(dies).transport, retries=NEVER) as client,
        pytest.raises(RequestRefusedError),
    ):
        client.put_many(uploads(300), journal=tmp_path / "journal", at_once=1)
    service = FalseService(stored)
    with opened(kind, URL, transport=service.transport) as client:
        told = client.put_many(uploads(300), journal=tmp_path / "journal")
    assert (told.put, told.before) == (172, 128)
    assert {item["id"] for request in service.requests for item in items_in(request)} == {
        f"item {n}" for n in range(128, 300)
    }


@both
def test_ctrl_c_keeps_what_was_acknowledged(kind: str, tmp_path: Path) -> None:
    def interrupted() -> Iterator[Upload]:
        yield from uploads(130)
        raise KeyboardInterrupt

    service = FalseService(stored)
    with opened(kind, URL, transport=service.transport) as client, pytest.raises(KeyboardInterrupt):
        client.put_many(interrupted(), journal=tmp_path / "journal", at_once=1)
    with opened(kind, URL, transport=FalseService(stored).transport) as client:
        told = client.put_many(uploads(130), journal=tmp_path / "journal")
    assert (told.put, told.before) == (2, 128)
