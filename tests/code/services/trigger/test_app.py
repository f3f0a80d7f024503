"""The trigger's routes, asked directly."""

import asyncio
import hashlib
import hmac
import json
import tracemalloc
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.types import Message

from services import approval, metrics
from services.codestore import StoreUnavailableError
from services.runs import Verdict
from services.trigger import decide
from services.trigger.app import application
from services.trigger.decide import Policy
from services.trigger.records import Kind, Reason
from services.trigger.routes import ENDPOINTS
from tests.code.services.trigger.test_alerts import ALERT, body
from tests.support.asgi import LOOPBACK, OUTSIDE, Answer, ask, scope_of
from tests.support.toy_trigger import COLLECTION, ToyTrigger

TOKEN = "a-token-of-32-characters-or-more"
SECRET = "the secret of links and of git hosts"


@pytest.fixture
def toy(tmp_path: Path) -> ToyTrigger:
    (tmp_path / "token").write_text(TOKEN)
    return ToyTrigger(tmp_path, token_file=tmp_path / "token", git_secret=SECRET, approval_secret=SECRET)


def send(toy: ToyTrigger, method: str, path: str, sent: Any = b"", **headers: str) -> Answer:
    raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    named = {
        "authorization": f"Bearer {TOKEN}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    path, _, query = path.partition("?")
    return ask(application(toy.service), method, path, named, OUTSIDE, query=query.encode(), body=raw)


def test_requests_are_counted_by_the_class_of_their_status(toy: ToyTrigger) -> None:
    def counted() -> dict[tuple[str, str], float]:
        labelled = (("runs", "2xx"), ("none", "4xx"))
        return {own: metrics.TRIGGER_REQUESTS.labels(*own)._value.get() for own in labelled}

    before = counted()
    send(toy, "GET", "/v1/runs")
    send(toy, "GET", "/nowhere")
    assert {own: value - before[own] for own, value in counted().items()} == dict.fromkeys(before, 1.0)


# -- the door ----------------------------------------------------------------------------------------------------------


def test_every_route_but_the_public_ones_is_closed(toy: ToyTrigger) -> None:
    app = application(toy.service)
    for endpoint in ENDPOINTS:
        answer = ask(app, endpoint.method, endpoint.path.replace("{name}", "x"))
        closed = {"token": 401, "signed": 403 if endpoint.path == approval.PATH else 401, "public": 200}
        assert answer.status == closed[endpoint.access], endpoint
        if answer.status != 200:
            assert answer.reason() in ("key", "role")
        if endpoint.access == "token":
            assert answer.reads == 0  # nothing of the body


@pytest.mark.parametrize(
    ("method", "path", "reason"), [("GET", "/", "path"), ("GET", "/v1/alerts", "method"), ("POST", "/v1/runs/", "path")]
)  # fmt: skip
def test_what_is_not_there(method: str, path: str, reason: str, toy: ToyTrigger) -> None:
    answer = send(toy, method, path)
    assert answer.reason() == reason
    assert (answer.headers.get("allow") == "POST") is (reason == "method")


def test_answers_are_kept_by_nobody_and_framed_by_nobody(toy: ToyTrigger) -> None:
    answer = send(toy, "GET", "/v1/runs")
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_body_that_is_too_large_is_not_read_further(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, body_bytes=1000)
    answer = ask(application(toy.service), "POST", "/v1/alerts", {}, LOOPBACK, body=b"x" * 1001)
    assert (answer.status, answer.reason()) == (413, "body")


def test_a_store_that_is_away_is_a_503_and_nothing_of_it_is_told(
    toy: ToyTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("code store redis://secret:6379 does not answer")

    monkeypatch.setattr(toy.server, "command", away)
    for answer in (send(toy, "GET", "/readyz"), send(toy, "POST", "/v1/alerts", body(ALERT))):
        assert (answer.status, answer.reason()) == (503, "unavailable")
        assert b"secret" not in answer.body


# -- reasons -----------------------------------------------------------------------------------------------------------


def test_an_alert_is_taken_down_once_and_told_what_it_waits_for(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, Policy())
    toy.settings.folder.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        answer = ask(application(toy.service), "POST", "/v1/alerts", {}, LOOPBACK, body=body(ALERT))
        (pending,) = answer.json()["pending"]
        assert (pending["standing"], pending["reasons"], answer.json()["firing"]) == (
            "waiting for data",
            1,
            1,
        )
    resolved = {**ALERT, "status": "resolved"}
    answer = ask(application(toy.service), "POST", "/v1/alerts", {}, LOOPBACK, body=body(resolved))
    assert answer.json()["pending"] == []


def test_a_storm_in_a_thousand_notifications_is_one_run(toy: ToyTrigger) -> None:
    app = application(toy.service)
    for number in range(1000):
        alert = {**ALERT, "fingerprint": f"{number:x}"}
        answer = ask(app, "POST", "/v1/alerts", {"authorization": f"Bearer {TOKEN}"}, body=body(alert))
        assert answer.status == 200
        if number == 500:
            toy.keeper.look()
    state = toy.settle()
    assert len(toy.ledger("started")) == 1
    assert len(state.history) == 1
    assert toy.server.writes < 250  # the rest had nothing to add


def test_a_person_asks_and_the_same_wish_is_one(toy: ToyTrigger) -> None:
    for _ in range(2):
        answer = send(
            toy, "POST", "/v1/runs", {"pipeline": "reindex", "who": "me", "why": "a fix", "id": "1"}
        )
        assert answer.status == 202
    (pending,) = answer.json()["pending"]
    assert pending["pipeline"] == "reindex"
    assert [reason["text"] for reason in pending["reasons"]] == ["me asked: a fix"]
    assert send(toy, "POST", "/v1/runs").json()["pending"][1]["pipeline"] == "retrain"


@pytest.mark.parametrize(
    "sent",
    [
        {"pipeline": "drop"},
        {"pipelin": "reindex"},
        {"": 1},
        {"who": 1},
        {"why": "x" * 201},
        {"why": "\n"},
        b"[",
        b"[]",
        b"\xff",
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(sent: Any, toy: ToyTrigger) -> None:
    assert send(toy, "POST", "/v1/runs", sent).reason() == "parameter"


def test_a_run_is_cancelled_and_its_log_shown(toy: ToyTrigger) -> None:
    toy.script(seconds=600)
    send(toy, "POST", "/v1/runs")
    running = toy.keeper.look().running
    assert running
    assert send(toy, "POST", "/v1/runs/other/cancel").reason() == "run"
    assert send(toy, "POST", f"/v1/runs/{running.name}/cancel", {"why": "x"}).reason() == "parameter"
    assert (
        send(toy, "POST", f"/v1/runs/{running.name}/cancel", {"who": "me"}).json()["running"]["cancelled"]
        == "me"
    )
    toy.settle()
    assert send(toy, "GET", f"/v1/runs/{running.name}/log").status == 200
    assert send(toy, "GET", "/v1/runs/other/log").reason() == "run"
    (run,) = send(toy, "GET", "/v1/runs").json()["history"]
    assert run["cancelled"] == "me"


# -- git hosts ---------------------------------------------------------------------------------------------------------


def test_a_git_host_proves_itself_before_anything_is_looked_at(toy: ToyTrigger) -> None:
    sent = b'{"ref": "refs/heads/main"}'
    signature = "sha256=" + hmac.new(SECRET.encode(), sent, hashlib.sha256).hexdigest()
    looks: list[int] = []
    watch: Any = type("Watch", (), {"look_soon": lambda self: looks.append(1)})()
    assert send(toy, "POST", "/v1/git", sent, x_hub_signature_256=signature).reason() == "parameter"
    toy.service.watch = watch
    assert send(toy, "POST", "/v1/git", sent, x_hub_signature_256=signature).status == 202
    assert send(toy, "POST", "/v1/git", sent, x_gitlab_token=SECRET).status == 202
    assert len(looks) == 2
    for wrong in (
        {"x_hub_signature_256": signature[:-1]},
        {"x_gitlab_token": "x"},
        {"x_gitlab_token": ""},
        {},
    ):
        assert send(toy, "POST", "/v1/git", sent, **wrong).reason() == "key"
    assert send(toy, "POST", "/v1/git", sent + b" ", x_hub_signature_256=signature).reason() == "key"
    assert len(looks) == 2


def test_what_is_not_proven_yet_is_not_kept(toy: ToyTrigger) -> None:
    """Anybody may send a body to be proven; a hundred of them at once would fill a pod."""
    pieces = iter([b"x" * 65_536] * 100)

    async def receive() -> Message:
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    statuses: list[int] = []

    async def send_(message: Message) -> None:
        statuses.append(message.get("status", 0))

    app = application(toy.service)
    tracemalloc.start()
    asyncio.run(cast(Any, app(scope_of("POST", "/v1/git", {}, OUTSIDE), receive, send_)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (statuses[0], next(pieces, None)) == (401, None)
    assert most < 1_000_000


def test_without_a_secret_git_hosts_are_not_heard(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path)
    assert (
        ask(application(toy.service), "POST", "/v1/git", {"x-gitlab-token": ""}, LOOPBACK).reason() == "role"
    )


# -- the timer ---------------------------------------------------------------------------------------------------------


def test_the_timer_is_set_shown_and_dropped(toy: ToyTrigger) -> None:
    assert send(toy, "GET", "/v1/schedule").json() == {"schedule": None}
    told = send(toy, "PUT", "/v1/schedule", {"every": "24h"}).json()["schedule"]
    assert told == {"text": "every 86400", "due": toy.now + 86_400, "pipeline": "retrain"}
    assert send(toy, "PUT", "/v1/schedule", {"cron": "0  3 * * *"}).json()["schedule"]["text"] == "0 3 * * *"
    assert send(toy, "GET", "/v1/schedule").json()["schedule"]["text"] == "0 3 * * *"
    told = send(toy, "PUT", "/v1/schedule", {"every": "24h", "pipeline": "drift"}).json()["schedule"]
    assert told["pipeline"] == "drift"
    assert send(toy, "DELETE", "/v1/schedule").json() == {"schedule": None}


@pytest.mark.parametrize(
    "sent", [{}, {"every": "1h", "cron": "* * * * *"}, {"every": "1s"}, {"every": "soon"}, {"cron": "x"}, {"cron": "0 0 30 2 *"}, {"every": 5}, {"every": "1h", "pipeline": "nothing"}]
)  # fmt: skip
def test_a_timer_that_is_none_is_refused(sent: dict[str, Any], toy: ToyTrigger) -> None:
    assert send(toy, "PUT", "/v1/schedule", sent).reason() == "parameter"


# -- approval ----------------------------------------------------------------------------------------------------------


def link(toy: ToyTrigger, generation: str = "gen", collection: str = COLLECTION) -> str:
    made = urlsplit(approval.link("https://trigger", collection, generation, SECRET, toy.now + 60))
    return f"{made.path}?{made.query}"


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def test_looking_approves_nothing_and_posting_publishes(toy: ToyTrigger) -> None:
    toy.script(verdict="awaiting approval", generation="gen")
    toy.keeper.change(
        lambda state: decide.asked(state, "retrain", Reason(kind=Kind.ALERT, key="a", text="a", time=0.0))
    )
    toy.settle()
    looked = send(toy, "GET", link(toy))
    assert looked.status == 200
    assert b"Awaiting approval: the fake says so" in looked.body
    assert not toy.ledger("approve")
    assert send(toy, "POST", link(toy), form(why="no name")).reason() == "parameter"
    done = send(toy, "POST", link(toy), form(who="Ada", why="looks good"))
    assert b"Published by Ada" in done.body
    (approve,) = toy.ledger("approve")
    assert approve["words"] == [
        "--collection", COLLECTION, "--who=Ada", "--why=looks good", "--instead-of=old", "--", "gen"
    ]  # fmt: skip
    (run,) = toy.keeper.state.history
    assert run.outcome
    assert (run.outcome.verdict, run.approved) == (Verdict.PUBLISHED, "Ada")


def awaited(toy: ToyTrigger) -> None:
    """A run whose generation awaits approval."""
    toy.script(verdict="awaiting approval", generation="gen")
    wish = Reason(kind=Kind.PERSON, key="a", text="a", time=0.0)
    toy.keeper.change(lambda state: decide.asked(state, "retrain", wish))
    toy.settle()


def test_the_page_says_how_a_generation_stands(toy: ToyTrigger) -> None:
    awaited(toy)
    looked = send(toy, "GET", link(toy)).body
    assert b"<button>" in looked
    assert b"<dd>old" in looked
    toy.published = "newer"
    looked = send(toy, "GET", link(toy)).body
    assert b"<button>" not in looked
    assert b"it was compared with old, and newer is published by now" in looked
    toy.published = "old"
    send(toy, "POST", link(toy), form(who="Ada"))
    toy.published = "gen"
    looked = send(toy, "GET", link(toy)).body
    assert b"<button>" not in looked
    assert b"It is published already, by Ada." in looked


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"])
def test_a_browser_is_told_by_a_page_and_others_by_a_problem(
    accept: str, toy: ToyTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> str:
        raise StoreUnavailableError("code store redis://secret:6379 does not answer")

    good = link(toy)
    toy.script(approve_code=2, approve_says="<b>no</b>")
    answers = [
        (send(toy, "GET", f"{good}0", accept=accept), 403, b"not made here"),
        (send(toy, "POST", good, form(who=" "), accept=accept), 400, b"ho is missing"),
        (send(toy, "POST", good, form(who="Ada"), accept=accept), 409, b"ot published: "),
    ]
    monkeypatch.setattr(toy.service, "published", away)
    answers.append((send(toy, "GET", good, accept=accept), 503, b"code store does not answer"))
    for answer, status, said in answers:
        assert answer.status == status
        assert said in answer.body
        assert b"secret:6379" not in answer.body
        is_page = b"<!doctype html>" in answer.body
        assert is_page is ("text/html" in accept)
        assert (b"<button>" in answer.body) is (is_page and status == 400)  # what was left out can be said
        assert not (is_page and b"<b>" in answer.body)


def test_a_generation_whose_run_is_not_remembered_is_published_too(toy: ToyTrigger) -> None:
    assert b"No run is known" in send(toy, "GET", link(toy)).body
    assert send(toy, "POST", link(toy), form(who="Ada")).status == 200
    assert not any("--instead-of" in word for word in toy.ledger("approve")[0]["words"])


def test_what_the_command_refuses_is_told(toy: ToyTrigger) -> None:
    toy.script(approve_code=2, approve_says="another one is served by now")
    answer = send(toy, "POST", link(toy), form(who="Ada"))
    assert (answer.status, answer.reason()) == (409, "approval")
    assert b"another one is served by now" in answer.body


@pytest.mark.parametrize(
    "change", [("gen", "other"), ("signature=", "signature=0"), ("expires=", "expires=9")]
)
def test_a_link_that_was_changed_is_closed(change: tuple[str, str], toy: ToyTrigger) -> None:
    for method in ("GET", "POST"):
        assert send(toy, method, link(toy).replace(*change), form(who="Ada")).reason() == "role"
    assert not toy.ledger("approve")


def test_links_end_and_are_of_one_collection(toy: ToyTrigger) -> None:
    assert send(toy, "GET", link(toy, collection="other")).reason() == "item"
    made = link(toy)
    toy.now += 61.0
    assert send(toy, "POST", made, form(who="Ada")).reason() == "role"


def test_a_page_of_another_site_approves_nothing(toy: ToyTrigger) -> None:
    answer = send(toy, "POST", link(toy), form(who="Ada"), origin="https://evil.example")
    assert answer.reason() == "origin"
    assert not toy.ledger("approve")


def test_names_are_shown_as_they_are(toy: ToyTrigger) -> None:
    assert b"<script>" not in send(toy, "GET", link(toy, "<script>alert(1)</script>")).body
    assert b"<b>" not in send(toy, "POST", link(toy), form(who="<b>Ada")).body


def test_without_a_secret_there_are_no_links(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path)
    made = link(toy).partition("?")
    answer = ask(application(toy.service), "GET", made[0], {}, LOOPBACK, query=made[2].encode())
    assert answer.reason() == "path"


# -- health ------------------------------------------------------------------------------------------------------------


def test_health_and_metrics_are_open(toy: ToyTrigger) -> None:
    app = application(toy.service)
    assert ask(app, "GET", "/livez").json() == {"status": "alive"}
    assert ask(app, "GET", "/readyz").json() == {"status": "ready"}
    assert b"taxohash_trigger_requests_total" in ask(app, "GET", "/metrics").body


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    app = application(ToyTrigger(tmp_path, upload_seconds=0.05).service)

    async def receive() -> Message:
        await asyncio.sleep(600)
        raise AssertionError

    statuses: list[int] = []

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async def ask_slowly() -> None:
        await app(scope_of("POST", "/v1/alerts", {}, LOOPBACK), receive, send)

    asyncio.run(ask_slowly())
    assert statuses[0] == 408


def test_it_starts_and_ends_what_it_is_made_of(toy: ToyTrigger) -> None:
    events: list[str] = []

    class Watch:
        def start(self) -> None:
            events.append("start")

        def stop(self) -> None:
            events.append("stop")

    toy.service.watch = cast(Any, Watch())
    toy.service.start()
    asyncio.run(toy.service.stop())
    assert events == ["start", "stop"]
