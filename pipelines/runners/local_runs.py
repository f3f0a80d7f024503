"""Runs on this machine, by the records that they keep below their home."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from pipelines.runners.local import EVENTS, LOG, PARAMETERS
from pipelines.runners.process import process_of
from pipelines.runners.runs import RunState, StepState
from pipelines.shared.events import Event, events, seconds
from pipelines.shared.record import OUTCOME, Record
from services.runs import Outcome
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import read

MOST = 20


class LocalRuns:
    """See `Runs`."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def recent(self) -> list[RunState]:
        folders = [file.parent for file in (self._home / "records").glob(f"*/{PARAMETERS}")]
        folders.sort(key=lambda folder: -(folder / PARAMETERS).stat().st_mtime)
        return [self._state(Record(self._home, folder.name), steps=False) for folder in folders[:MOST]]

    def state(self, name: str) -> RunState:
        return self._state(self._record(name), steps=True)

    def cancel(self, name: str) -> str:
        process = process_of(self._record(name))
        if process is None:
            return f"run {name} is not running"
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
        return f"run {name} is told to end"

    def log(self, name: str, step: str) -> str:
        if step:
            raise TaxohashError(f"a run on this machine has one log of all its steps: leave {step!r} out")
        file = self._record(name).folder / LOG
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""

    def _record(self, name: str) -> Record:
        record = Record(self._home, name)
        if not (record.folder / PARAMETERS).is_file():
            raise TaxohashError(f"there is no run {name!r} in {self._home}: see `taxohash pipeline status`")
        return record

    def _state(self, record: Record, steps: bool) -> RunState:
        noted = record.noted(OUTCOME)
        outcome = read(Outcome, noted) if noted else None
        running = "running" if process_of(record) else "interrupted"
        return RunState(
            name=record.folder.name,
            state=outcome.verdict if outcome else running,
            started=(record.folder / PARAMETERS).stat().st_mtime,
            address=str(record.folder),
            steps=tuple(steps_of(events(record.folder / f"{EVENTS}.jsonl"), running)) if steps else (),
            outcome=outcome if steps else None,
        )


def steps_of(told: Sequence[Event], unended: str) -> list[StepState]:
    """The steps that have told of themselves; one of a loop is once there for all its rounds, which run side by side.

    Args:
        unended: the state of those that have not told how they ended.
    """
    found = []
    for name, spent in seconds(told).items():
        own = [event for event in told if event.step == name]
        starts = [number for number, event in enumerate(own) if event.kind == "started"]
        failed = next((event for event in own[starts[-1] :] if event.kind == "failed"), None)
        if len(own) < 2 * len(starts):
            found.append(StepState(name, unended, 0.0))
        elif failed:
            found.append(StepState(name, "failed", spent, failed.reason))
        else:
            found.append(StepState(name, "succeeded", spent))
    return found
