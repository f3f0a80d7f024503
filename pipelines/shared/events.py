"""What steps tell of themselves while they run: a line of JSON when one starts, ends or fails."""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pipelines.shared import placement
from services import settings

Kind = Literal["started", "ended", "failed"]


@dataclass(frozen=True)
class Event:
    """Something that a step told.

    Attributes:
        step: its name in the pipeline.
        time: Unix time in seconds.
        reason: why it failed, in one line.
    """

    step: str
    kind: Kind
    time: float
    reason: str = ""


def tell(step: str, kind: Kind, reason: str = "") -> None:
    """Append to the file of the run's events, where the run has one: steps of several pods write there at once."""
    if (file := events_file()) is None:
        return
    line = json.dumps(asdict(Event(step, kind, time.time(), reason))) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError:  # whoever watches sees less; the step goes on
        return


def events_file() -> Path | None:
    """The file of this run's events, in the folder that TAXOHASH_EVENTS names, or on the claim of a cluster's pods."""
    name = settings.RUN_ID.of()
    return Path(settings.EVENTS.of() or placement.EVENTS) / f"{name}.jsonl" if name else None


def events(file: Path | None) -> list[Event]:
    """What was told until now; a line that is being written is left for later."""
    if file is None or not file.is_file():
        return []
    whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
    return [Event(**json.loads(line)) for line in whole.splitlines()]


def seconds(told: Iterable[Event]) -> dict[str, float]:
    """How long each step took, in the order in which they started: from the first start of one to its last end, as its shards
    run side by side. Of one that has not ended, 0."""
    started: dict[str, float] = {}
    ended: dict[str, float] = {}
    for event in told:
        if event.kind == "started":
            started.setdefault(event.step, event.time)
        else:
            ended[event.step] = event.time
    return {step: round(max(ended.get(step, since) - since, 0.0), 3) for step, since in started.items()}


def failure(told: Iterable[Event]) -> Event | None:
    """The first step that failed; else one that started and never said how it ended, as when it was killed."""
    told = list(told)
    if failed := next((event for event in told if event.kind == "failed"), None):
        return failed
    ended = {event.step for event in told if event.kind == "ended"}
    silent = [event for event in told if event.kind == "started" and event.step not in ended]
    return silent[-1] if silent else None
