"""Progress bars for work of more than a few seconds; where nobody watches they are silent."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")
MARK = "·"


def _console() -> Console:
    """Standard error, or the terminal that TAXOHASH_TTY names: a pipeline's steps have their output piped."""
    if terminal := os.environ.get("TAXOHASH_TTY"):
        try:
            return Console(file=open(terminal, "w"), force_terminal=True)
        except OSError:
            pass
    return Console(file=sys.stderr)


console = _console()


def bars(shown: bool = True) -> Progress:
    """A progress display: description, bar, count, elapsed and remaining time, a note."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
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
    console.print(f"{MARK} {text}", highlight=False, markup=False, soft_wrap=True)
