"""Rows: one for each run, with the task it was given, where its code came from, and what was measured.

A benchmark makes tasks and measures them; the rows that it has are kept in one JSON file, a line each, and written after
every run: an interrupted benchmark goes on where it was. Tables and figures are made of rows alone, and rows
hold little else.
"""

import json
import multiprocessing
import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.common.timing import timed
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json, replacing
from taxohash.runtime.progress import bars
from taxohash.runtime.provenance import revision

Row = dict[str, Any]
Measure = Callable[[Row], Row]
# What makes two rows the same run; a benchmark's tasks have those of them that it varies.
IDENTITY = (
    "data", "stage", "method", "bits", "size", "epochs", "members", "shuffled", "trial", "seed",
)  # fmt: skip


def identity(row: Row) -> tuple[Any, ...]:
    """Which run a row or a task is of."""
    return tuple(row.get(name) for name in IDENTITY)


def matching(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def percents(rows: Iterable[Row], metric: str, ranking: str = "metrics") -> list[float]:
    """A metric in per cent, by Hamming distance (`metrics`) or by weights (`weighted`), of every row that has such."""
    return [100.0 * float(row[ranking][metric]) for row in rows if row.get(ranking)]


def commits(rows: Iterable[Row], of: str = "commit") -> str:
    """The commits of some rows, for the head of a table; `-dirty` where the code was not quite that of the commit."""
    found = {row[of].partition("-") for row in rows}
    return ", ".join(sorted(commit[:12] + dash + dirty for commit, dash, dirty in found))


def read_rows(file: Path) -> list[Row]:
    """The rows of a file; none where there is no file.

    Raises:
        TaxohashError: not readable as JSON.
    """
    rows: list[Row] = read_json(file, "delete it to start again") if file.exists() else []
    return rows


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write rows as a JSON array with a line for each, whole or not at all."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    with replacing(file) as draft:
        draft.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


@contextmanager
def workers(count: int) -> Iterator[Executor]:
    """Some processes that measure; when the block fails, what has not begun is not begun any more."""
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run(
    tasks: list[Row], rows: list[Row], file: Path, measure: Measure, pool: Executor | None = None
) -> None:
    """Measure the tasks whose rows are missing; append to `rows` and write them to `file` after each.

    Args:
        tasks: each with what of IDENTITY is varied, and whatever else `measure` wants to know.
        rows: those there are.
        measure: from a task to what its row has beside it.
        pool: where to measure; here, in the order of the tasks, when not given.

    Raises:
        TaxohashError: what `measure` raises.
    """
    known = {identity(row) for row in rows}
    missing = [task for task in tasks if identity(task) not in known]
    with bars() as progress:
        bar = progress.add_task("runs", total=len(tasks), completed=len(tasks) - len(missing), note="")
        for task, found in _measured(missing, measure, pool):
            rows.append(task | _origin() | found)
            write_rows(file, rows)
            progress.update(bar, advance=1, note=task["method"])


def attempted(measure: Measure, task: Row) -> Row:
    """What was measured, or why not, and the seconds of the CPU that it took."""

    def attempt() -> Row:
        try:
            return measure(task)
        except TaxohashError as error:
            return {"metrics": None, "error": str(error)}

    found = timed(attempt)
    return found.result | {"cpu_seconds": round(found.cpu, 2)}


def _measured(tasks: list[Row], measure: Measure, pool: Executor | None) -> Iterator[tuple[Row, Row]]:
    if pool is None:
        yield from ((task, measure(task)) for task in tasks)
        return
    futures = {pool.submit(measure, task): task for task in tasks}
    yield from ((futures[future], future.result()) for future in as_completed(futures))


@cache  # as the process found it: the rows it writes change the working tree
def _origin() -> Row:
    made_by = revision()
    return {"command": portable(made_by["command"]), "commit": made_by["commit"]}


def portable(command: str) -> str:
    """A command without the places of one machine: of an absolute path its last name is left."""
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in shlex.split(command))
