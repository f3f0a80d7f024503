"""The outcome of a run, its eleven lines, and who is told."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.shared.events import Event
from pipelines.shared.notify import notify
from pipelines.shared.outcome import outcome
from pipelines.shared.record import Record
from pipelines.shared.summary import lines, minutes
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.errors import TaxohashError

COMPARED = {"metric": "mAP", "value": 0.5, "bound": 0.4, "difference": 0.1, "low": 0.05, "high": 0.15}
TOLD = [Event("train", "started", 10.0), Event("train", "ended", 100.0)]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    made = Record(tmp_path, "retrain-1")
    made.note("begun", pipeline="retrain", collection="birds", time=9.0)
    made.note("data", md5="1.dir", changes={"added": 1200, "removed": 0, "relabelled": 3})
    made.note("champion", id="old")
    return made


def judged(record: Record) -> None:
    record.note(
        "judgement", verdict="passes", reason="better", against="champion", compared=[COMPARED], report="r"
    )
    record.note("generation", id="new", place="s3://g/new")
    record.note("comparison", would_change="All would change.", page="s3://c/comparison.html")


def test_a_run_that_published_tells_all_of_it(record: Record) -> None:
    judged(record)
    record.note("ended", verdict="published", reason="better")
    found = outcome(record, TOLD)
    assert found.verdict is Verdict.PUBLISHED
    assert (found.run, found.pipeline, found.collection, found.started) == (
        "retrain-1",
        "retrain",
        "birds",
        9.0,
    )
    assert (found.champion, found.generation, found.place, found.report) == ("old", "new", "s3://g/new", "r")
    assert (found.would_change, found.comparison) == ("All would change.", "s3://c/comparison.html")
    assert found.compared[0].low == 0.05
    assert found.seconds == {"train": 90.0}
    assert Outcome.of_json(found.to_json()) == found
    told = lines(found)
    assert len(told) == 11
    assert told[1] == "data        1.dir, since the champion's: 1,200 added, 3 relabelled"
    assert told[3] == "metrics     against the champion: mAP 0.5000 for 0.4000 (+0.0500 to +0.1500)"
    assert told[4] == "verdict     PUBLISHED"
    assert told[8] == "comparison  s3://c/comparison.html: All would change."
    assert told[9] == "time        1 min 30 s in 1 steps (train 1 min 30 s)"


def test_what_was_published_stays_so_when_a_later_step_fails(record: Record) -> None:
    record.note("ended", verdict="published", reason="better")
    found = outcome(record, [*TOLD, Event("collect", "failed", 101.0, "no answer")], "failed")
    assert found.verdict is Verdict.PUBLISHED


@pytest.mark.parametrize(
    ("told", "error", "reason"),
    [
        ([Event("train", "failed", 1.0, "no space")], "step failed", "step train: no space"),
        ([Event("train", "started", 1.0)], "killed", "step train: killed"),
        ([Event("train", "started", 1.0)], "", "step train: it ended without a word"),
        (TOLD, "out of quota", "out of quota"),
        ([], "", "it ended before it came to a verdict"),
    ],
)
def test_a_run_without_a_verdict_has_failed_and_says_where(
    record: Record, told: list[Event], error: str, reason: str
) -> None:
    found = outcome(record, told, error)
    assert (found.verdict, found.reason) == (Verdict.FAILED, reason)
    assert lines(found)[4] == "verdict     FAILED"


def test_an_interrupted_run_is_not_a_failed_one(record: Record) -> None:
    found = outcome(record, TOLD, "", interrupted=True)
    assert found.verdict is Verdict.INTERRUPTED
    assert EXIT_CODES[found.verdict] == 130


def test_what_awaits_approval_is_told_with_the_command(record: Record) -> None:
    judged(record)
    record.note("ended", verdict="awaiting approval", reason="asked for")
    assert lines(outcome(record, TOLD))[10] == "next        taxohash pipeline approve new --collection birds"


def test_a_run_of_which_nothing_is_known_is_told_too(tmp_path: Path) -> None:
    found = outcome(Record(tmp_path, "nothing"), [], "unreachable")
    assert len(lines(found)) == 11
    assert lines(found)[2] == "champion    none was looked for"
    assert lines(replace(found, against="floor"))[2] == "champion    none: nothing was published"
    assert lines(found)[8] == "comparison  none"
    assert found.verdict is Verdict.FAILED


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 101, "a b", "a\nb"])
def test_a_name_that_cannot_be_a_folders_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match=r"run .* is no name: use"):
        Record(tmp_path, name)


def test_minutes() -> None:
    assert [minutes(0.04), minutes(59.94), minutes(60), minutes(3725)] == [
        "0.0 s",
        "59.9 s",
        "1 min 0 s",
        "62 min 5 s",
    ]


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps what is posted, and answers with the next of its statuses."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Webhook)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TAXOHASH_NOTIFY_URL", f"http://127.0.0.1:{server.server_address[1]}/secret-part")
        yield server
        server.shutdown()


def test_the_webhook_gets_text_for_people_and_fields_for_programs(record: Record, webhook: Webhook) -> None:
    found = outcome(record, TOLD, "out of quota")
    webhook.statuses = [500]
    assert notify(found)
    assert len(webhook.bodies) == 2
    body = webhook.bodies[-1]
    assert body["text"].splitlines() == lines(found)
    assert Outcome.of_json(json.dumps(body["outcome"])) == found


def test_a_webhook_that_refuses_is_told_without_its_address_and_fails_nothing(
    record: Record, webhook: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    webhook.statuses = [403] * 3
    assert not notify(outcome(record, TOLD))
    said = capsys.readouterr().err
    assert "nobody was told by TAXOHASH_NOTIFY_URL: status 403" in " ".join(said.split())
    assert "secret-part" not in said


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:1/x", "no address", "http://[::1"])
def test_no_webhook_or_an_impossible_one_fails_nothing(
    address: str, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXOHASH_NOTIFY_URL", address)
    assert not notify(outcome(record, TOLD))
