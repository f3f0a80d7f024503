"""What steps tell of themselves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.shared.events import Event, events, failure, seconds, tell
from pipelines.shared.step import step
from taxohash.errors import TaxohashError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAXOHASH_EVENTS", str(tmp_path / "new"))
    monkeypatch.setenv("TAXOHASH_RUN_ID", "run")
    return tmp_path / "new" / "run.jsonl"


def told(file: Path) -> list[tuple[str, str, str]]:
    return [(event.step, event.kind, event.reason) for event in events(file)]


def test_a_step_tells_that_it_starts_and_how_it_ends(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @step("good")
    def good(number: int) -> int:
        return number + 1

    @step("bad")
    def bad() -> None:
        raise TaxohashError("nothing\nthere")

    @step("broken")
    def broken() -> None:
        raise ValueError("a mistake of ours")

    assert good(1) == 2
    with pytest.raises(SystemExit) as ended:
        bad()
    assert ended.value.code == 2
    assert capsys.readouterr().out == "error: nothing\\nthere\n"
    with pytest.raises(ValueError, match="a mistake"):
        broken()
    assert told(file) == [
        ("good", "started", ""),
        ("good", "ended", ""),
        ("bad", "started", ""),
        ("bad", "failed", "nothing\\nthere"),
        ("broken", "started", ""),
        ("broken", "failed", "ValueError: a mistake of ours"),
    ]


def test_without_a_run_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXOHASH_EVENTS", str(tmp_path))
    monkeypatch.delenv("TAXOHASH_RUN_ID", raising=False)
    tell("train", "started")
    assert not [*tmp_path.iterdir()]
    assert events(None) == events(tmp_path / "none") == []


def test_where_events_cannot_be_written_the_step_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAXOHASH_EVENTS", str(tmp_path / "file"))
    monkeypatch.setenv("TAXOHASH_RUN_ID", "run")
    assert step("good")(lambda: 1)() == 1


def test_a_line_that_is_being_written_is_left_for_later(file: Path) -> None:
    tell("train", "started")
    with file.open("a") as out:
        out.write('{"step": "tr')
    assert told(file) == [("train", "started", "")]


def test_pods_that_tell_at_once_do_not_mix_their_lines(file: Path) -> None:
    code = (
        "from pipelines.shared.events import tell\nfor n in range(200): tell('encode', 'started', 'x' * 500)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], env=os.environ) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 600


def test_shards_are_timed_from_the_first_start_to_the_last_end() -> None:
    found = seconds(
        [
            Event("plan", "started", 0.0),
            Event("plan", "ended", 1.0),
            Event("encode", "started", 2.0),
            Event("encode", "started", 3.0),
            Event("encode", "ended", 5.0),
            Event("encode", "ended", 9.0),
            Event("build", "started", 9.5),
        ]
    )
    assert found == {"plan": 1.0, "encode": 7.0, "build": 0.0}
    assert [*found] == ["plan", "encode", "build"]


def test_the_first_failure_tells_why_else_the_step_that_fell_silent() -> None:
    start, end = Event("train", "started", 0.0), Event("train", "ended", 1.0)
    failed = Event("encode", "failed", 2.0, "no space")
    assert failure([start, end]) is None
    assert failure([start, end, failed, Event("record", "failed", 3.0)]) == failed
    assert failure([start, end, Event("gate", "started", 2.0)]) == Event("gate", "started", 2.0)
