"""What both clients send, and what they make of what comes; a real service answers them in tests/system/test_client.py."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from taxohash.client import (
    NEVER,
    AsyncClient,
    BusyError,
    Client,
    Code,
    ItemId,
    MalformedAnswerError,
    NoAnswerError,
    Refusal,
    Retries,
    SearchAnswer,
    Upload,
)
from taxohash.errors import TaxohashError
from tests.support.clients import KINDS, opened
from tests.support.false_service import ANSWER, LINKS, URL, FalseService, answer, problem, put_answer

AT_ONCE = Retries(tries=5, first=0.0, longest=0.0)  # no pauses

both = pytest.mark.parametrize("kind", KINDS)


def asked(kind: str, service: FalseService, **options: Any) -> Any:
    return opened(kind, URL, transport=service.transport, **{"retries": AT_ONCE} | options)


def test_both_have_the_same_methods_with_the_same_parameters() -> None:
    def public(kind: type) -> dict[str, Any]:
        found = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
        return {
            name: inspect.signature(one).replace(return_annotation=None)
            for name, one in found.items()
            if callable(one)
        }

    assert public(Client) == public(AsyncClient)


@both
def test_faults_that_pass_are_waited_out(kind: str) -> None:
    service = FalseService(
        [problem(429), httpx.ConnectError("refused"), problem(503, retry_after="1"), httpx.ReadError("cut"), answer(ANSWER)]
    )  # fmt: skip
    with asked(kind, service) as client:
        assert client.search(code="ff").results[0].id == "one"
    assert len(service.requests) == 5
    assert len({request.content for request in service.requests}) == 1


@both
def test_a_write_whose_answer_was_lost_is_sent_again_as_the_same(kind: str) -> None:
    service = FalseService(
        [httpx.ReadError("cut"), answer(put_answer()), answer({"id": "a", "token": "4f1d09aa.0-2", "pictures": "removed"})]
    )  # fmt: skip
    with asked(kind, service) as client:
        client.put("a", b"picture")
        client.delete("a")
    first, again, delete = (request.headers["idempotency-key"] for request in service.requests)
    assert first == again != delete


@both
def test_an_edit_sends_what_changes_and_no_more(kind: str) -> None:
    service = FalseService(lambda request: answer({"id": "a/ü", "generation": "g", "token": "4f1d09aa.0-2"}))
    with asked(kind, service) as client:
        client.edit("a/ü", labels=("warm/red",))
        client.edit("a/ü", tags=[], name="mine")
        assert client.token == "4f1d09aa.0-2"
        with pytest.raises(TaxohashError, match="changes nothing: give labels, tags or both"):
            client.edit("a")
        with pytest.raises(TaxohashError, match="tags are the text 'x': give a list"):
            client.edit("a", tags="x")
    first, second = service.requests
    assert (first.method, first.url.path, first.url.params["id"]) == ("PATCH", "/v1/item", "a/ü")
    assert json.loads(first.content) == {"labels": ["warm/red"]}
    assert json.loads(second.content) == {"tags": []}
    assert second.headers["idempotency-key"] == "mine" != first.headers["idempotency-key"]


@both
def test_what_is_told_to_try_once_tries_once(kind: str) -> None:
    for reply, error in ((problem(429), BusyError), (httpx.ConnectError("refused"), NoAnswerError)):
        service = FalseService([reply])
        with asked(kind, service, retries=NEVER) as client, pytest.raises(error):
            client.stats()


@both
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"items": []}'])
def test_malformed_answers_are_one_line(kind: str, body: bytes) -> None:
    service = FalseService(lambda request: httpx.Response(200, content=body))
    with asked(kind, service) as client:
        asking = [
            lambda: client.search(code="ff"), lambda: client.search_many([ItemId("a")]), lambda: client.encode(b"p"),
            lambda: client.similar("a"), lambda: client.put("a", b"p"), lambda: client.get("a"),
            lambda: client.delete("a"), client.taxonomy, client.generation, client.generations, client.stats,
            lambda: client.put_many([Upload("a", b"p")]), lambda: client.edit("a", tags=[]),
        ]  # fmt: skip
        for ask in asking:
            with pytest.raises(MalformedAnswerError, match=URL) as error:
                ask()
            assert "\n" not in str(error.value)


@both
def test_reads_that_follow_a_write_carry_its_token(kind: str) -> None:
    item = {
        "id": "a", "generation": "g", "state": "searchable", "code": "ff", "label_paths": [], "tags": [], "links": LINKS
    }  # fmt: skip
    replies = [
        answer(put_answer(token="4f1d09aa.0-7")),
        answer(item),
        answer(ANSWER),
        answer(ANSWER),
        answer(ANSWER),
    ]
    for own, token in ((True, b"4f1d09aa.0-7"), (False, b"4f1d09aa.0-7")):
        service = FalseService(list(replies))
        with asked(kind, service, read_your_writes=own) as client:
            assert client.put("a", b"picture").new
            client.get("a")
            client.search(b"picture")
            client.search(code="ff")
            client.similar("a")
            assert client.token == token.decode()
        for request in service.requests[1:]:
            assert (token in request.content + request.url.query) == own


@both
def test_many_queries_are_split_and_answered_in_their_order(kind: str) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        queries = json.loads(request.content)["queries"]
        refused = json.loads(problem(404, "item").content)
        answers = [
            {"problem": refused} if "id" in query else ANSWER | {"code": query["code"]} for query in queries
        ]
        return answer({"generation": "g", "answers": answers, "took_ms": 1})

    service = FalseService(reply)
    queries = [ItemId("x") if number % 7 == 0 else Code(f"{number:04x}") for number in range(150)]
    with asked(kind, service) as client:
        told = client.search_many(iter(queries), k=3)
        assert client.search_many([]) == []
    assert [len(json.loads(request.content)["queries"]) for request in service.requests] == [64, 64, 22]
    for number, one in enumerate(told):
        if number % 7 == 0:
            assert one == Refusal(404, "item", "it cannot be")
        else:
            assert isinstance(one, SearchAnswer)
            assert one.code == f"{number:04x}"


@both
def test_large_pictures_are_split_by_their_bytes(kind: str) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        assert len(request.content) < 10 << 20
        number = len(json.loads(request.content)["queries"])
        return answer({"generation": "g", "answers": [ANSWER] * number, "took_ms": 1})

    service = FalseService(reply)
    with asked(kind, service) as client:
        assert len(client.search_many([bytes(4 << 20)] * 3)) == 3
    assert len(service.requests) == 3


@both
def test_a_picture_that_is_too_large_is_refused_and_the_others_are_answered(kind: str) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        queries = json.loads(request.content)["queries"]
        if any(len(query["image"]) > 100 for query in queries):
            return problem(413, "body")
        return answer({"generation": "g", "answers": [ANSWER] * len(queries), "took_ms": 1})

    service = FalseService(reply)
    with asked(kind, service) as client:
        told = client.search_many([b"p", b"p", bytes(100), b"p"])
    assert [isinstance(one, SearchAnswer) for one in told] == [True, True, False, True]
    assert told[2] == Refusal(413, "body", "it cannot be")


@both
def test_nought_is_a_wish_like_another(kind: str) -> None:
    service = FalseService(lambda request: answer(ANSWER))
    with asked(kind, service) as client:
        client.search(code="ff", radius=0, k=0, explain=False, ranking=None)
        client.similar("a", radius=0, explain=True)
    first, second = service.requests
    assert json.loads(first.content) == {"code": "ff", "radius": 0, "k": 0}
    assert dict(second.url.params) == {"id": "a", "radius": "0", "explain": "true"}


@both
def test_long_wishes_of_a_picture_go_as_json(kind: str) -> None:
    service = FalseService(lambda request: answer(ANSWER))
    with asked(kind, service) as client:
        client.search(b"p", within=["warm", "cold"], k=2)
        client.search(b"p", token="4f1d09aa" + ".1-5" * 2000)
    form, long = service.requests
    assert form.headers["content-type"].startswith("multipart/form-data")
    assert form.content.count(b'name="within"') == 2
    assert json.loads(long.content)["image"] == "cA=="


@both
def test_what_cannot_be_asked_is_told_before_anything_is_sent(kind: str, tmp_path: Path) -> None:
    service = FalseService([])
    with asked(kind, service) as client:
        asking: list[Callable[[], Any]] = [
            lambda: client.search(), lambda: client.search(b"p", id="a"), lambda: client.search("a\0b"),
            lambda: client.search(tmp_path / "none.png"), lambda: client.get("\udcff"), lambda: client.get(""),
            lambda: client.put("a"), lambda: client.put("a", b"p", code="ff"), lambda: client.put("a", code="ff"),
            lambda: client.put_many(tmp_path / "none"), lambda: client.put_many([], at_once=0),
            lambda: client.put("a", b"p", tags="cat"), lambda: client.put("a", b"p", labels="warm/red"),
            lambda: client.edit("a", tags="cat"), lambda: client.edit("a"),
        ]  # fmt: skip
        for ask in asking:
            with pytest.raises(TaxohashError) as error:
                ask()
            assert "\n" not in str(error.value)
    assert service.requests == []


@both
def test_text_that_no_request_can_hold_is_told_and_not_sent(kind: str) -> None:
    service = FalseService([])
    with asked(kind, service) as client:
        asking: list[Callable[[], Any]] = [
            lambda: client.search(b"p", within="\udcff"), lambda: client.search(id="a", tags=["\udcff"]),
            lambda: client.search(code="\udcff"), lambda: client.similar("a", group_by="\udcff"),
            lambda: client.put("a", b"p", labels=["\udcff"]), lambda: client.edit("a", tags=["\udcff"]),
        ]  # fmt: skip
        for ask in asking:
            with pytest.raises(
                TaxohashError, match=r"has '\\udcff' in a text that has to be UTF-8: give another"
            ):
                ask()
        with pytest.raises(TaxohashError, match="has 'ü' in a text that has to be ASCII: give another"):
            client.put("a", b"p", name="ü")
    assert service.requests == []
