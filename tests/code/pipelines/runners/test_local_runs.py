"""Runs on this machine, as their records tell of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.runners.local import EVENTS, LOG, PARAMETERS
from pipelines.runners.local_runs import LocalRuns, steps_of
from pipelines.runners.process import note_process, process_of
from pipelines.shared.events import Event
from pipelines.shared.record import OUTCOME, Record
from services.runs import Outcome, Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import write_json, write_text

ENDED = Outcome(
    run="first",
    pipeline="retrain",
    collection="default",
    verdict=Verdict.REFUSED,
    reason="worse",
    started=1.0,
)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    found = Record(tmp_path, "first")
    write_json(found.folder / PARAMETERS, {"pipeline": "retrain", "parameters": {}})
    events = [("begin", "started", 1.0), ("begin", "ended", 2.5), ("train", "started", 3.0)]
    lines = [json.dumps({"step": step, "kind": kind, "time": time}) for step, kind, time in events]
    write_text(found.folder / f"{EVENTS}.jsonl", "\n".join(lines) + "\n")
    return found


def test_a_run_that_goes_on_is_running(tmp_path: Path, record: Record) -> None:
    note_process(record)
    state = LocalRuns(tmp_path).state("first")
    assert (state.name, state.state, state.outcome) == ("first", "running", None)
    assert [(step.name, step.state, step.seconds) for step in state.steps] == [
        ("begin", "succeeded", 1.5),
        ("train", "running", 0.0),
    ]


def test_one_whose_process_is_gone_was_interrupted(tmp_path: Path, record: Record) -> None:
    assert LocalRuns(tmp_path).state("first").state == "interrupted"
    note_process(record)
    noted = record.noted("process")
    record.note("process", pid=noted["pid"], since=noted["since"] - 60.0)  # an earlier one of that number
    assert process_of(record) is None
    assert LocalRuns(tmp_path).cancel("first") == "run first is not running"


def test_one_that_ended_has_its_outcome(tmp_path: Path, record: Record) -> None:
    note_process(record)
    write_text(record.folder / f"{OUTCOME}.json", ENDED.to_json())
    assert LocalRuns(tmp_path).state("first").outcome == ENDED
    (listed,) = LocalRuns(tmp_path).recent()
    assert (listed.state, listed.outcome, listed.steps) == ("refused", None, ())


def test_cancel_asks_the_process(tmp_path: Path, record: Record) -> None:
    code = (
        "import sys; from pipelines.runners.process import note_process; from pipelines.shared.record import Record; "
        "note_process(Record(sys.argv[1], 'first')); print('noted', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "noted\n"
        assert LocalRuns(tmp_path).cancel("first") == "run first is told to end"
        assert process.wait(60) == -15
    assert LocalRuns(tmp_path).cancel("first") == "run first is not running"


def test_the_commands_show_it(tmp_path: Path, record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    (record.folder / LOG).write_text("all that was said\n")
    home = ("--home", str(tmp_path))
    assert main(["status", *home]) == 0
    assert "interrupted" in capsys.readouterr().out
    assert main(["status", "first", *home]) == 0
    assert "more in" in capsys.readouterr().out
    assert main(["logs", "first", *home]) == 0
    assert capsys.readouterr().out == "all that was said\n"
    assert main(["logs", "first", "train", *home]) == 2
    assert "has one log of all its steps: leave 'train' out" in capsys.readouterr().err
    assert main(["status", "--home", str(tmp_path / "empty")]) == 0
    assert capsys.readouterr().out == "no runs\n"
    with pytest.raises(TaxohashError, match="there is no run 'second'"):
        LocalRuns(tmp_path).state("second")


def test_a_step_of_a_loop_is_as_it_was_told_of_last() -> None:
    told = [
        Event("encode", "started", 1.0),
        Event("encode", "failed", 2.0, "no space"),
        Event("encode", "started", 3.0),
    ]
    (step,) = steps_of(told[:2], "running")
    assert (step.state, step.seconds, step.reason) == ("failed", 1.0, "no space")
    (step,) = steps_of(told, "running")
    assert (step.state, step.reason) == ("running", "")


def test_a_step_of_a_loop_ends_with_its_last_round() -> None:
    told = [
        Event("encode", "started", 1.0),
        Event("encode", "started", 2.0),
        Event("encode", "failed", 3.0, "no space"),
        Event("encode", "ended", 5.0),
    ]
    (step,) = steps_of(told[:3], "running")
    assert (step.state, step.seconds) == ("running", 0.0)
    (step,) = steps_of(told, "running")
    assert (step.state, step.seconds, step.reason) == ("failed", 4.0, "no space")
