"""Progress of work of more than a few seconds: bars in a terminal, a line a minute in a log."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from taxohash.runtime import terminal
from taxohash.runtime.terminal import printable

T = TypeVar("T")
MARK = "·"
LINE_SECONDS = 60.0


def _console() -> Console:
    """Standard error, or the terminal that TAXOHASH_TTY names: a pipeline's steps have their output piped."""
    if path := os.environ.get("TAXOHASH_TTY"):
        try:
            return terminal.console(file=open(path, "w"), force_terminal=True)
        except OSError:
            pass
    return terminal.console(stderr=True)


console = _console()


class Lines(Progress):
    """A progress display for logs: every LINE_SECONDS, a line says how far the task is that moved."""

    def __init__(self) -> None:
        super().__init__(disable=True)
        self._told = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        if time.monotonic() - self._told < LINE_SECONDS:
            return
        self._told = time.monotonic()
        task = self._tasks[task_id]
        left = f"{task.time_remaining:.0f} s left" if task.time_remaining is not None else ""
        said = (
            f"{task.description} {task.completed:.0f}/{task.total or 0:.0f}",
            task.fields.get("note"),
            left,
        )
        announce(", ".join(part for part in said if part))


def bars(shown: bool = True) -> Progress:
    """A progress display: description, bar, count, elapsed and remaining time, a note."""
    if shown and not console.is_terminal:
        return Lines()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
        disable=not shown,
    )


def track(items: Iterable[T], total: int, what: str, shown: bool = True) -> Iterator[T]:
    """Yield the items while a bar shows how many of `total` are done."""
    with bars(shown) as progress:
        task = progress.add_task(what, total=total, note="")
        for done, item in enumerate(items, start=1):
            yield item
            if done % 256 == 0:
                progress.update(task, completed=done)


def announce(text: str) -> None:
    """One line of news on standard error, marked so that whoever started us can tell it from other output."""
    console.print(f"{MARK} {printable(text)}", soft_wrap=True)
