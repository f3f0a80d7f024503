"""Runs a pipeline on this machine, in a process of its own, and follows what its steps tell."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.runners.process import note_process, process_of
from pipelines.runners.termination import terminable
from pipelines.shared.events import Event, events
from pipelines.shared.notify import notify
from pipelines.shared.outcome import outcome
from pipelines.shared.record import OUTCOME, Record
from services import settings
from services.codestore.own import address
from services.processes import running
from services.runs import Outcome, Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import writable, write_json, write_text
from taxohash.runtime.configuration import read
from taxohash.runtime.progress import MARK
from taxohash.runtime.sources import steps_digest

LOG, PARAMETERS, EVENTS = "log.txt", "parameters.json", "events"
PROCESS = "pipelines.runners.kfp_local"
_LOOK_SECONDS = 0.2
Told = Callable[[Event], None]


def place(home: Path, data: Path | None) -> dict[str, str]:
    """The pipeline's parameters that name places of this machine.

    Raises:
        TaxohashError: a folder that cannot be written, or no data set.
    """
    home = writable(home.resolve())
    found = {
        "work": str(home),
        "generations": str(home / "generations"),
        "image": f"local/python:{steps_digest()[:12]}",
    }
    if data is not None:
        from taxohash.datasets.identity import directory_md5  # pyarrow, and slow

        found |= {"data": str(data.resolve()), "dataset_md5": directory_md5(data)}
    return found


def run(
    pipeline: str,
    parameters: Mapping[str, Any],
    told: Told,
    said: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> Outcome:
    """Run a pipeline to its end.

    Interrupted, or told to terminate, it stops all that it started, and the outcome says so; the same call goes on from there. One
    that came to a verdict comes to it again, without running.

    Args:
        parameters: of the pipeline, with its name as `run` and its folder as `work`.
        told: called with what steps tell.
        said: called with what steps announce.
        environment: of its processes, in which its stores are named.

    Raises:
        TaxohashError: no code store can be had, or another run has this name, or this one goes on.
    """
    record = Record(parameters["work"], parameters["run"])
    asked = {"pipeline": pipeline, "parameters": dict(parameters)}
    if (ended := _take_up(record, asked)) is not None:
        return ended
    write_json(record.folder / PARAMETERS, asked)
    note_process(record)
    error, interrupted = "", False
    try:
        with terminable(), address(environment):  # the user's own store stays from step to step
            error = _follow(record, told, said, environment)
    except KeyboardInterrupt:
        interrupted = True
    return _outcome(record, error, interrupted)


def _take_up(record: Record, asked: dict[str, Any]) -> Outcome | None:
    """Let a run begin under its name, where an attempt that failed or was interrupted may have left something; or the outcome of one
    that ended."""
    before = record.noted(PARAMETERS.removesuffix(".json"))
    if before and before != asked:
        raise TaxohashError(
            f"run {record.folder.name!r} was another one, see {record.folder / PARAMETERS}: choose another name"
        )
    ended = record.noted(OUTCOME)
    if ended.get("verdict", Verdict.FAILED) != Verdict.FAILED:
        return read(Outcome, ended)
    if (other := process_of(record)) is not None and other.pid != os.getpid():
        raise TaxohashError(
            f"run {record.folder.name!r} goes on in process {other.pid}: wait, or choose another name"
        )
    for left in (_events(record), record.folder / f"{OUTCOME}.json"):
        left.unlink(missing_ok=True)
    return None


def _follow(record: Record, told: Told, said: Callable[[str], None], outer: Mapping[str, str]) -> str:
    """Start the process and wait for its end; what it says of it, or nothing if it ended well."""
    environment = {
        **outer,
        settings.EVENTS.name: str(record.folder),
        settings.RUN_ID.name: EVENTS,
        settings.TTY.name: os.ttyname(2) if sys.stderr.isatty() else "",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", PROCESS, str(record.folder / PARAMETERS)]
    seen = 0
    with running(command, environment) as process:
        reader = threading.Thread(target=_keep, args=(process, record.folder / LOG, said), daemon=True)
        reader.start()
        while True:
            ended = not _alive(process)
            found = events(_events(record))
            for event in found[seen:]:
                told(event)
            seen = len(found)
            if ended:
                break
        reader.join()
        return "" if process.returncode == 0 else f"see {record.folder / LOG}"


def _alive(process: "subprocess.Popen[str]") -> bool:
    """Whether it goes on after a moment."""
    try:
        process.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _keep(process: "subprocess.Popen[str]", file: Path, said: Callable[[str], None]) -> None:
    """Write all lines to the log, and pass on those by which steps announce something."""
    assert process.stdout
    with suppress(ValueError), file.open("a") as log:  # its output is closed where it is stopped
        for line in process.stdout:
            log.write(line)
            log.flush()
            if line.lstrip().startswith(MARK):
                said(line.strip())


def _outcome(record: Record, error: str, interrupted: bool) -> Outcome:
    """The one that the exit handler wrote; else, where it was not reached, one of what is known."""
    if found := record.noted(OUTCOME):
        return read(Outcome, found)
    made = outcome(record, events(_events(record)), error, interrupted)
    if not interrupted:  # it is taken up again under its name
        write_text(record.folder / f"{OUTCOME}.json", made.to_json())
        notify(made)
    return made


def _events(record: Record) -> Path:
    return record.folder / f"{EVENTS}.jsonl"
