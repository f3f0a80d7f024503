"""What stands in the log, and what never does."""

import asyncio
import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from services import metrics
from services.retrieval import logs
from services.retrieval.access import Caller
from services.retrieval.access.keys import new_secret
from services.retrieval.app import application
from services.retrieval.asked import Asked
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.table import Table
from services.retrieval.schemas.items import Nothing
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web import logs as web_logs
from tests.support.asgi import LOOPBACK, OUTSIDE, REACHED, ask, asked, scope_of
from tests.support.keyring import Keyring

CANARY = "c4n4ry"


class Log:
    """Lines that were logged."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def text(self) -> str:
        logging.getLogger().handlers[0].flush()
        return os.pread(self._handle, 10_000_000, 0).decode()

    def lines(self, logger: str = "taxohash.requests") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text().splitlines()]
        return [line for line in found if line["logger"] == logger]


@contextmanager
def logging_to(path: Path, form: str = "json") -> Iterator[Log]:
    """This process logs as a service does; afterwards as before."""
    root, show, hook = logging.getLogger(), warnings.showwarning, threading.excepthook
    before = root.handlers[:], root.level
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    web_logs.configure(form, handle)
    try:
        yield Log(handle)
    finally:
        root.handlers[0].flush()
        root.handlers[:], root.level = before
        root.setLevel(before[1])
        logging.captureWarnings(False)
        warnings.showwarning, threading.excepthook = show, hook
        os.close(handle)


@pytest.fixture(autouse=True)
def unspared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of one test are not held against those of another."""
    for name in ("_cheap", "_not_let_in", "_failures"):
        monkeypatch.setattr(logs, name, web_logs.Sparing(name, 10_000))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with logging_to(tmp_path / "log") as found:
        yield found


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


async def _fails(request: Request) -> Response:
    sent = (await request.body()).decode()
    try:
        raise KeyError(sent)
    except KeyError as error:
        raise ValueError(f"{sent} {request.url} {request.headers}") from error


async def _reads(request: Request) -> Response:
    return JSONResponse({"read": len(await request.body())})


TABLE = Table(
    [
        # With parameters, which others refuse before these see them.
        Endpoint("POST", "/fails/{item}", _fails, "fails", "search", parameters=Nothing),
        Endpoint("PUT", "/reads/{item}", _reads, "reads", "write", parameters=Nothing),
        *REACHED.endpoints,
    ]
)


def app_of(keyring: Keyring | None = None, **settings: Any) -> ASGIApp:
    named = str(keyring.path) if keyring else None
    return application(Service(Settings(redis_url="memory://", api_keys_file=named, **settings)), TABLE)


def test_a_request_is_a_line(log: Log, keyring: Keyring) -> None:
    ask(app_of(keyring), "POST", "/v1/search", {**keyring.headers("search"), "X-Request-ID": "mine"})
    (line,) = log.lines()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line.pop("ms") >= 0
    assert line == {
        "level": "INFO",
        "logger": "taxohash.requests",
        "message": "request",
        "request_id": "mine",
        "method": "POST",
        "route": "search",
        "status": 200,
        "key": "search",
        "bytes": len('{"let in":"search"}'),
        "generation": "",
        "client": "192.0.2.7",
    }


def test_who_was_not_let_in_is_told_with_why(log: Log, keyring: Keyring) -> None:
    app = app_of(keyring)
    for key in (None, "wrong", "expired"):
        ask(app, "POST", "/v1/search", keyring.headers(key))
    ask(app, "POST", "/v1/made-up-admin", keyring.headers("search"))
    told = [(line["status"], line["why"], line["key"]) for line in log.lines()]
    assert told == [
        (401, "missing", "anonymous"),
        (401, "wrong", "anonymous"),
        (401, "expired", "expired"),
        (403, "role", "search"),
    ]


def test_every_request_to_write_or_administer_is_audited(log: Log, keyring: Keyring) -> None:
    app = app_of(keyring)
    for key in ("write", "search", "wrong"):
        ask(app, "PUT", "/v1/made-up/x", keyring.headers(key))
        ask(app, "GET", "/v1/taxonomy", keyring.headers(key))
    told = [(line["key"], line["route"], line["outcome"]) for line in log.lines("taxohash.audit")]
    assert told == [
        ("write", "made-up-write", "done"),
        ("search", "made-up-write", "not let in"),
        ("anonymous", "made-up-write", "not let in"),
    ]


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_of_a_client_and_no_secret_is_ever_logged(
    tmp_path: Path, keyring: Keyring, form: str
) -> None:
    """Canaries in path, query, headers, method, body and key, over all routes and errors."""
    lines = f"{CANARY}\r\nlevel=ERROR {CANARY}\x1b[31m\u2028"
    with logging_to(tmp_path / "log", form) as log:
        for app in (app_of(keyring), app_of(), app_of(keyring, cors_origins=("https://shop.example",))):
            for key in (None, "wrong", "expired", "search", "admin"):
                headers = {
                    "host": f"{CANARY}.example",
                    "user-agent": CANARY,
                    "referer": CANARY,
                    "cookie": CANARY,
                    "origin": f"https://{CANARY}.example",
                    "x-request-id": f"{CANARY}\n",
                    "x-forwarded-for": CANARY,
                    "content-type": CANARY,
                    **{name.lower(): value for name, value in keyring.headers(key).items()},
                }
                for plain in (headers, {name: headers[name] for name in headers if name == "authorization"}):
                    for endpoint in TABLE.endpoints:
                        path = re.sub(r"\{[^}]*\}", lines, endpoint.path)
                        for method in (endpoint.method, CANARY, "OPTIONS"):
                            for server in (LOOPBACK, OUTSIDE):
                                query = f"q={CANARY}".encode()
                                answer = ask(app, method, path, plain, server, query, body=CANARY.encode())
                                assert answer.status
                    ask(app, "GET", f"/{lines}", plain, LOOPBACK)
        text = log.text()
    assert CANARY not in text
    assert "txh_" not in text
    assert not any(secret[8:] in text for secret in keyring.secrets.values())
    assert "\x1b" not in text
    for line in text.splitlines():
        assert line.isascii()
        if form == "json":
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
        else:
            assert re.match(r"20\d\d-\S+ (INFO|WARNING|ERROR) taxohash", line)
    assert "ValueError at " in text
    assert "test_logs.py:" in text


def test_a_failure_is_told_by_types_and_places(log: Log, keyring: Keyring) -> None:
    ask(app_of(), "POST", f"/fails/{CANARY}", {"X-Request-ID": "mine"}, LOOPBACK, body=b"body")
    (line,) = log.lines("taxohash")
    assert (line["level"], line["request_id"], line["route"]) == ("ERROR", "mine", "fails")
    first, cause = line["exception"].split(" after ")
    assert re.fullmatch(r"ValueError at .*tests/code/services/retrieval/test_logs\.py:\d+ in _fails", first)
    assert re.fullmatch(r"KeyError at .*test_logs\.py:\d+ in _fails", cause)
    assert log.lines()[-1]["status"] == 500


def test_exceptions_that_others_log_are_told_likewise(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio", "anything")]
    for other in others:  # libraries that no service imports silence some of them
        monkeypatch.setattr(other, "disabled", False)
        monkeypatch.setattr(other, "level", logging.NOTSET)
        other.setLevel(logging.NOTSET)  # which forgets what was kept of levels
    try:
        raise ValueError(f"{CANARY} {new_secret()}")
    except ValueError:
        for other in others:
            other.exception("it failed")

    def end() -> None:
        raise RuntimeError(CANARY)

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
    assert CANARY not in log.text()
    assert "txh_" not in log.text().replace("txh_...", "")
    assert [log.lines(name)[0]["exception"][:13] for name in ("uvicorn.error", "asyncio")] == [
        "ValueError at"
    ] * 2
    assert log.lines("taxohash")[0]["exception"].startswith("RuntimeError at ")


def test_a_key_in_a_message_is_left_out(log: Log) -> None:
    secret = new_secret()
    logging.getLogger("any").warning("somebody wrote %s here", secret)
    assert log.lines("any")[0]["message"] == "somebody wrote txh_... here"


@pytest.mark.parametrize("form", ["json", "text"])
def test_line_breaks_in_messages_make_no_lines(tmp_path: Path, form: str) -> None:
    with logging_to(tmp_path / "log", form) as log:
        logging.getLogger("any").warning("one\ntwo\r\x1b[0m\u2028three", extra={"more": "a\nb"})
        text = log.text()
    assert len(text.splitlines()) == 1
    assert text.isascii()


def answered(status: int, access: Any = "search", why: str = "") -> None:
    asked = Asked("id", "GET", "route", access, caller=Caller("shop", "search", True), why=why)
    logs.answered(asked, logs.Answered(status, 0, 0.0, "", ""))


def test_a_flood_of_refusals_is_counted_and_what_cost_something_is_told(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("services.retrieval.logs.time.monotonic", lambda: now[0])
    monkeypatch.setattr(logs, "_cheap", web_logs.Sparing("that cost nothing", 5))
    for _ in range(100):
        answered(429)
        answered(200)
        answered(200, "public")
    now[0] = 101.0
    answered(429)
    monkeypatch.undo()
    statuses = [line["status"] for line in log.lines()]
    assert statuses.count(429) == 3 + 1
    assert statuses.count(200) == 100 + 2
    (left_out,) = log.lines("taxohash")
    assert left_out["message"] == "195 more lines about requests that cost nothing were left out"


def test_audits_are_complete_but_for_floods_of_who_was_not_let_in(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_not_let_in", web_logs.Sparing("x", 5))
    for _ in range(50):
        answered(200, "write")
        answered(401, "write", "missing")
        answered(503, "admin")
    outcomes = [line["outcome"] for line in log.lines("taxohash.audit")]
    assert outcomes.count("done") == outcomes.count("failed") == 50
    assert 5 <= outcomes.count("not let in") <= 10  # two seconds at most


def test_a_reader_that_stands_still_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(web_logs, "_QUEUED_LINES", 100)
    monkeypatch.setattr(web_logs, "_FLUSH_SECONDS", 0.1)
    before = metrics.LOG_LINES_LEFT_OUT.labels("that nobody read")._value.get()
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    hook = threading.excepthook
    web_logs.configure("json", writing)
    try:
        for _ in range(5_000):
            logging.getLogger("any").warning("x" * 100)
        root.handlers[0].flush()
        assert metrics.LOG_LINES_LEFT_OUT.labels("that nobody read")._value.get() > before
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
        threading.excepthook = hook
        os.set_blocking(reading, False)
        os.close(reading)  # what is written from now on fails


def test_a_client_that_left_is_told_as_such(log: Log) -> None:
    async def never(request: Request) -> Response:
        await asyncio.sleep(3600)
        return Response()

    app = application(
        Service(Settings(redis_url="memory://")), Table([Endpoint("GET", "/never", never, "never", "search")])
    )

    async def leave() -> None:
        task = asyncio.create_task(asked(app, scope_of("GET", "/never", {}, LOOPBACK)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert [line["status"] for line in log.lines()] == [499]
