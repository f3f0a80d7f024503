"""One look for everything that takes a while: a bar on a terminal, nothing where nobody watches."""

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
console = Console(stderr=True)


def track(items: Iterable[T], total: int, what: str, shown: bool = True) -> Iterator[T]:
    """Yield the items while a bar shows how many of `total` are done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, disable=not (shown and console.is_terminal), transient=True
    ) as progress:
        task = progress.add_task(what, total=total)
        for done, item in enumerate(items, start=1):
            yield item
            if done % 256 == 0:
                progress.update(task, completed=done)
