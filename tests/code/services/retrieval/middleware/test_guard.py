"""Every answer, from whatever layer: id, headers, one form of error."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message

from services import metrics
from services.codestore import StoreUnavailableError
from services.retrieval.app import application
from services.retrieval.middleware.headers import HEADERS
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.table import Table
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web.problems import TITLES
from taxohash.errors import TaxohashError
from tests.support.asgi import LOOPBACK, REACHED, Answer, ask, asked, scope_of
from tests.support.keyring import Keyring

INTERNAL = "redis://user:s3cret@store.internal:6379 /run/store.sock"
FAILURES: dict[str, tuple[Exception, int, str]] = {
    "bug": (ValueError(INTERNAL), 500, "server"),
    "taxohash": (TaxohashError(INTERNAL), 500, "server"),
    "store": (StoreUnavailableError(INTERNAL), 503, "unavailable"),
    "timeout": (TimeoutError(INTERNAL), 500, "server"),
    "group": (ExceptionGroup(INTERNAL, [OSError(INTERNAL)]), 500, "server"),
    "gone": (ClientDisconnect(), 400, "gone"),
    "teapot": (HTTPException(418, INTERNAL), 418, "request"),
    "bad": (HTTPException(400, INTERNAL), 400, "request"),
    "nowhere": (HTTPException(404, INTERNAL), 404, "path"),
    "theirs": (HTTPException(502, INTERNAL), 500, "server"),
}


def _fails(error: Exception) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        raise error

    return answer


async def _breaks_off(request: Request) -> Response:
    async def parts() -> Any:
        yield b"first"
        raise ValueError(INTERNAL)

    return StreamingResponse(parts())


async def _fails_after(request: Request) -> Response:
    class Late(JSONResponse):
        async def __call__(self, *arguments: Any) -> None:
            await super().__call__(*arguments)
            raise ValueError(INTERNAL)

    return Late({"all": "said"})


async def _cached(request: Request) -> Response:
    return Response(b"{}", headers={"Cache-Control": "private, max-age=3600"})


FAILING = Table(
    [
        *(
            Endpoint("GET", f"/fails/{name}", _fails(error), name, "search")
            for name, (error, _, _) in FAILURES.items()
        ),
        Endpoint("GET", "/breaks-off", _breaks_off, "breaks-off", "search"),
        Endpoint("GET", "/fails-after", _fails_after, "fails-after", "search"),
        Endpoint("GET", "/cached", _cached, "cached", "search"),
        *REACHED.endpoints,
    ]
)


def app_of(**settings: Any) -> ASGIApp:
    return application(Service(Settings(redis_url="memory://", **settings)), FAILING)


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    return app_of()


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


def protected(answer: Answer) -> bool:
    """Whether all headers are there, once each."""
    names = [name.decode() for name, _ in answer.raw_headers]
    assert len(names) == len(set(names))
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["x-request-id"])
    assert answer.status < 400 or answer.headers["cache-control"] == "no-store"
    return True


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_is_a_problem_with_nothing_internal(app: ASGIApp, name: str) -> None:
    answer = ask(app, "GET", f"/fails/{name}", {}, LOOPBACK)
    _, status, reason = FAILURES[name]
    assert (answer.status, answer.reason()) == (status, reason)
    for word in re.split(r"[^a-z0-9]+", INTERNAL):
        assert len(word) < 4 or word not in answer.json()["detail"].replace("the code store", "")
    assert protected(answer)


def test_a_failure_in_middleware_is_one_too(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError(INTERNAL)

    monkeypatch.setattr("services.retrieval.access.Gate.admit", fail)
    answer = ask(app, "GET", "/livez", {}, LOOPBACK)
    assert (answer.status, answer.reason()) == (500, "server")
    assert protected(answer)


def test_an_answer_that_breaks_off_is_cut_off_and_says_nothing_of_why(app: ASGIApp) -> None:
    with pytest.raises(RuntimeError, match="broke off") as cut:
        ask(app, "GET", "/breaks-off", {}, LOOPBACK)
    assert cut.value.__cause__ is None
    assert cut.value.__suppress_context__


def test_an_answer_that_is_whole_stays_so(app: ASGIApp) -> None:
    answer = ask(app, "GET", "/fails-after", {}, LOOPBACK)
    assert (answer.status, answer.json()) == (200, {"all": "said"})


@pytest.mark.parametrize("path", ["/livez", "/", "/page/page.js", "/v1/search", "/nothing", "/page/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "NONSENSE"])
def test_every_answer_is_protected(app: ASGIApp, method: str, path: str) -> None:
    answer = ask(app, method, path, {}, LOOPBACK)
    assert protected(answer)
    assert answer.status < 400 or answer.reason() in TITLES
    assert "access-control-allow-origin" not in answer.headers


def test_the_policy_is_strict() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not {"unsafe-inline", "unsafe-eval", "data:", "*", "http:", "https:"} & set(
        HEADERS["content-security-policy"].replace("'", "").replace(";", "").split()
    )


def test_nothing_that_needed_a_key_is_kept(keyring: Keyring) -> None:
    app = app_of(api_keys_file=str(keyring.path))
    assert ask(app, "GET", "/cached", keyring.headers("search")).headers["cache-control"] == "no-store"
    assert ask(app_of(), "GET", "/cached", {}, LOOPBACK).headers["cache-control"] == "private, max-age=3600"


@pytest.mark.parametrize("own", ["a", "0af7651916cd43dd8448eb211c80319c", "A.b_c-9", "x" * 64])
def test_a_fit_id_of_the_client_is_taken(app: ASGIApp, own: str) -> None:
    answer = ask(app, "GET", "/nothing", {"X-Request-ID": own}, LOOPBACK)
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == own


@hypothesis_settings(deadline=None, max_examples=100)
@given(st.binary(max_size=70).filter(lambda own: not re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", own)))
def test_any_other_id_is_not(app: ASGIApp, own: bytes) -> None:
    answer = ask(app, "GET", "/nothing", [(b"x-request-id", own)], LOOPBACK)
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_two_ids_are_none(app: ASGIApp) -> None:
    twice = [(b"x-request-id", b"a"), (b"x-request-id", b"b")]
    assert ask(app, "GET", "/livez", twice, LOOPBACK).headers["x-request-id"] not in ("a", "b")


def test_requests_that_share_a_state_have_ids_of_their_own(app: ASGIApp) -> None:
    state: dict[str, Any] = {"shared": 1}
    scopes = [scope_of("GET", "/nothing", {}, LOOPBACK) | {"state": state} for _ in range(2)]

    async def both() -> list[Answer]:
        return await asyncio.gather(*(asked(app, scope) for scope in scopes))

    first, second = asyncio.run(both())
    assert first.reason() == second.reason() == "path"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert state == {"shared": 1}


def test_no_request_makes_a_metric_of_its_own(app: ASGIApp) -> None:
    for number in range(20):
        ask(app, "GET", f"/nothing/{number}", {}, LOOPBACK)
        ask(app, f"M{number}", f"/v1/items/{number}/thumbnail", {}, LOOPBACK)
    told = {sample.labels.get("route") for metric in metrics.REQUESTS.collect() for sample in metric.samples}
    names = {endpoint.name for endpoint in FAILING.endpoints} | {"none"}
    assert not {route for route in told if route and any(letter.isdigit() for letter in route)}
    assert "none" in told & names


SHOP = "https://shop.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def shared(keyring: Keyring) -> ASGIApp:
    return app_of(api_keys_file=str(keyring.path), cors_origins=(SHOP,))


def test_a_listed_origin_may_ask_and_read(shared: ASGIApp, keyring: Keyring) -> None:
    before = ask(shared, "OPTIONS", "/v1/search", PREFLIGHT | {"Origin": SHOP})
    assert (before.status, before.body) == (204, b"")
    assert before.headers["access-control-allow-origin"] == SHOP
    assert "Authorization" in before.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in before.headers
    assert protected(before)
    for key, status in (("search", 200), ("wrong", 401)):
        answer = ask(shared, "POST", "/v1/search", {**keyring.headers(key), "Origin": SHOP})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert protected(answer)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil", "", "*"])
def test_others_may_not(shared: ASGIApp, keyring: Keyring, origin: str) -> None:
    for method, headers in (("OPTIONS", PREFLIGHT), ("POST", keyring.headers("search"))):
        answer = ask(shared, method, "/v1/search", {**headers, "Origin": origin})
        assert answer.status == (401 if method == "OPTIONS" else 403)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "asked_for", [{"Access-Control-Request-Method": "NONSENSE"}, {"Access-Control-Request-Headers": "x"}]
)
def test_what_a_listed_origin_may_not_do_is_not_in_the_answer(
    shared: ASGIApp, asked_for: dict[str, str]
) -> None:
    answer = ask(shared, "OPTIONS", "/v1/search", PREFLIGHT | asked_for | {"Origin": SHOP})
    assert answer.status == 204
    assert "NONSENSE" not in answer.headers["access-control-allow-methods"]
    assert "x" not in answer.headers["access-control-allow-headers"].lower().split(", ")


@pytest.mark.parametrize("can_deny", [True, False])
def test_websockets_are_refused(app: ASGIApp, can_deny: bool) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = scope_of("GET", "/v1/search", {}, LOOPBACK) | {"type": "websocket"}
    scope["extensions"] = {"websocket.http.response": {}} if can_deny else {}

    async def connect() -> None:
        await app(scope, receive, send)

    asyncio.run(connect())
    if not can_deny:
        assert sent == [{"type": "websocket.close", "code": 1008}]
        return
    start, body = sent
    assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")
    answer = Answer(start["status"], start["headers"], body["body"])
    assert (answer.status, answer.reason()) == (404, "path")
    assert protected(answer)
