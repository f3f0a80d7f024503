"""Runs as real processes: begun once, found again, ended, and what they say."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.runs import Outcome, Verdict
from services.trigger.records import Run
from services.trigger.runs import Ended, Runs
from taxohash.errors import TaxohashError
from tests.support.waiting import until

LASTING = "import time; print('begun', flush=True); time.sleep(600)"
OUTCOME = Outcome(
    run="a", pipeline="retrain", collection="c", verdict=Verdict.REFUSED, reason="worse", started=1.0
)


def run_of(name: str = "a", **more: str) -> Run:
    return Run(name=name, pipeline="retrain", reasons=(), began=1.0, **more)  # type: ignore[arg-type]


def runs_of(folder: Path, program: str) -> Runs:
    return Runs(folder, "c", lambda run: [sys.executable, "-S", "-c", program])


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Runs]:
    """Runs that last until they are ended."""
    runs = runs_of(tmp_path, LASTING)
    yield runs
    for folder in tmp_path.iterdir():
        with suppress(OSError, ValueError):
            os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)


def end_of(runs: Runs, run: Run) -> Ended:
    found: list[Ended] = []

    def there() -> bool:
        if end := runs.follow(run):
            found.append(end)
        return bool(found)

    until(there)
    return found[0]


def followed(runs: Runs, run: Run) -> Outcome:
    end = end_of(runs, run)
    assert end.told is (end.outcome == OUTCOME)
    return end.outcome


def begun(runs: Runs, folder: Path, name: str = "a") -> None:
    assert runs.follow(run_of(name)) is None
    until(lambda: (folder / name / "out").exists() and (folder / name / "out").read_text())


def test_the_last_line_is_the_outcome(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, f"print('step ...'); print({OUTCOME.to_json()!r}); print()")
    assert followed(runs, run_of()) == OUTCOME
    assert (
        followed(runs_of(tmp_path, "1 / 0"), run_of()) == OUTCOME
    )  # by another trigger, and not begun again


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('error: no such data')", "error: no such data"),
        ("print('half an out')", "half an out"),
        ("pass", "and said nothing"),
        ("import os; os.kill(os.getpid(), 9)", "and said nothing"),
        ("print('\\x1b[2J' + 'x' * 5000)", "…"),
    ],
)
def test_a_run_without_an_outcome_failed_and_says_what_it_said(
    tmp_path: Path, program: str, reason: str
) -> None:
    outcome = followed(runs_of(tmp_path, program), run_of())
    assert (outcome.verdict, outcome.run, outcome.collection) == (Verdict.FAILED, "a", "c")
    assert reason in outcome.reason
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < 400


def test_a_command_that_is_not_there_is_a_run_that_failed(tmp_path: Path) -> None:
    outcome = followed(Runs(tmp_path, "c", lambda run: ["/no/such/command"]), run_of())
    assert outcome.verdict is Verdict.FAILED
    assert "/no/such/command" in outcome.reason


@pytest.mark.parametrize(
    ("command", "final", "reason"),
    [
        ((sys.executable, "-S", "-c", "import sys; print('no such option', file=sys.stderr); sys.exit(2)"), True, "no such option"),
        (("/no/such/command",), True, "/no/such/command"),
        ((str(Path(__file__)),), True, str(Path(__file__))),  # no program
        ((sys.executable, "-S", "-c", "import sys; sys.exit('away')"), False, "it ended without an outcome: away"),
        ((sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 9)"), False, "it ended without an outcome"),
        (("/bin/sh", "-c", "kill -9 $PPID; exit 2"), False, "it ended without an outcome"),  # nobody wrote its exit code
    ],
)  # fmt: skip
def test_what_was_refused_before_it_began_would_be_refused_again(
    tmp_path: Path, command: tuple[str, ...], final: bool, reason: str
) -> None:
    end = end_of(Runs(tmp_path, "c", lambda run: command), run_of())
    assert (end.final, end.outcome.verdict) == (final, Verdict.FAILED)
    assert reason in end.outcome.reason
    assert end.outcome.reason.startswith("it ended without an outcome") is not final


def test_another_trigger_finds_it_and_begins_nothing(lasting: Runs, tmp_path: Path) -> None:
    begun(lasting, tmp_path)
    other = runs_of(tmp_path, "raise SystemExit('begun twice')")
    assert other.follow(run_of()) is None
    assert other.follow(run_of("b")) is None  # nor one of another name beside it
    assert not (tmp_path / "b").exists()
    other.cancel(run_of(), 20.0)  # a child of the first, not of its own
    assert followed(other, run_of()).verdict is Verdict.FAILED


def test_what_is_left_is_begun_again_by_its_name(lasting: Runs, tmp_path: Path) -> None:
    begun(lasting, tmp_path)
    lasting.leave(run_of())
    assert followed(runs_of(tmp_path, f"print({OUTCOME.to_json()!r})"), run_of()) == OUTCOME


@pytest.mark.parametrize(
    "program",
    [
        f"print({OUTCOME.to_json()!r}, flush=True)",  # before it heard of it
        f"import os, signal; signal.signal(2, lambda *_: (os.write(1, {OUTCOME.to_json().encode()!r}), os._exit(4))); {LASTING}",
    ],
)
def test_what_came_to_its_end_as_it_was_left_is_not_begun_again(tmp_path: Path, program: str) -> None:
    runs = runs_of(tmp_path, program)
    begun(runs, tmp_path)
    runs.leave(run_of())
    assert followed(runs_of(tmp_path, "raise SystemExit('begun twice')"), run_of()) == OUTCOME


@pytest.mark.parametrize(("way", "number"), [("cancel", signal.SIGTERM), ("leave", signal.SIGINT)])
def test_a_run_is_told_whether_it_is_cancelled_or_left(
    way: str, number: signal.Signals, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    handler = f"lambda number, _: (open({str(told)!r}, 'w').write(str(number)), sys.exit())"
    program = f"import signal, sys; [signal.signal(own, {handler}) for own in (2, 15)]; {LASTING}"
    runs = runs_of(tmp_path, program)
    begun(runs, tmp_path)
    getattr(runs, way)(run_of())
    assert told.read_text() == str(int(number))


def test_what_a_run_started_ends_with_it(tmp_path: Path) -> None:
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {LASTING!r}]).wait()"
    runs = runs_of(tmp_path, program)
    begun(runs, tmp_path)
    runs.cancel(run_of(), 5.0)
    until(lambda: runs.follow(run_of()) is not None)


def test_one_that_is_deaf_is_killed(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LASTING}")
    begun(runs, tmp_path)
    runs.cancel(run_of(), 0.2)
    assert followed(runs, run_of()).verdict is Verdict.FAILED


def test_one_that_was_cancelled_before_it_began_never_does(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "raise SystemExit('begun')")
    runs.cancel(run_of())
    assert followed(runs, run_of(cancelled="me")).verdict is Verdict.INTERRUPTED
    assert not (tmp_path / "a").exists()


def test_logs_are_kept_of_those_that_are_remembered(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "import sys; print('one\\n\\ntwo', file=sys.stderr)")
    followed(runs, run_of("a"))
    followed(runs, run_of("b"))
    assert runs.log_of("a") == "one\ntwo\n"
    runs.prune({"b"})
    assert runs.log_of("a") is None
    assert runs.log_of("b")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaxohashError, match="TAXOHASH_TRIGGER_FOLDER"):
        runs_of(tmp_path / "file" / "below", "pass")
