"""The code store beside plain commands of the same server, each in turn.

    python -m benchmarks.speed.codestore                     as it is published, some 20 minutes
    python -m benchmarks.speed.codestore --items 20000 --held 100000 --some 5000 --seconds 2 --followers 2 --rounds 2 --results /tmp

Every round does each thing once, so that whatever else the machine does hits all alike. Writes codestore.{json,md} into the
folder of the results, keeping rows of what is not measured now.
"""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import choices
from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, read_rows, write_rows
from benchmarks.common.servers import REDIS_8, installed
from benchmarks.common.tables import publish
from benchmarks.speed.codestore import (
    footprint,
    ingest,
    loading,
    publishing,
    turnover,
    upkeep,
    vectors,
    visibility,
)
from benchmarks.speed.codestore.report import as_markdown
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import revision

SINGLES = 50  # as many items are written by BATCH as one by one, times this


def main(
    items: Annotated[int, typer.Option(help="of a collection that is loaded and weighed")] = 1_000_000,
    held: Annotated[int, typer.Option(help="items that a process holds")] = 10_000_000,
    some: Annotated[int, typer.Option(help="items that are written again and again")] = 100_000,
    seconds: Annotated[float, typer.Option(help="of steady writes")] = 20.0,
    followers: Annotated[int, typer.Option(help="processes that follow a publish")] = 10,
    rounds: Annotated[int, typer.Option(help="of what is done in turns")] = 5,
    only: Annotated[str, typer.Option(help="what to measure, comma-separated; everything by default")] = "",
    results: Annotated[Path, typer.Option(help="folder of codestore.json and codestore.md")] = RESULTS,
) -> None:
    programs = installed()
    measures: dict[str, Callable[[], list[Row]]] = {
        "load": lambda: loading.measure(items, rounds),
        "ingest": lambda: ingest.measure(some, max(some // SINGLES, 1), rounds),
        "server memory": lambda: footprint.measure_servers(items, programs),
        "process memory": lambda: footprint.measure_process(items, held),
        "visible": lambda: visibility.measure(some, seconds),
        "publish": lambda: publishing.measure(some, followers),
        "gc": lambda: upkeep.measure(some, rounds),
        "turnover": lambda: turnover.measure(some),
        "vector sets": lambda: vectors.measure(some, programs[REDIS_8]) if REDIS_8 in programs else [],
    }
    file = results / "codestore.json"
    rows = read_rows(file)
    for name in choices(only, measures):
        announce(f"codestore: {name}")
        origin = {**revision(), **_machine()}
        found = [row | {"made_by": origin} for row in measures[name]()]
        rows = [row for row in rows if row["measure"] != name] + found
        write_rows(file, rows)
    publish(results / "codestore.md", as_markdown(rows))


def _machine() -> Row:
    return {
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version(),
        "machine": platform.machine(),
    }  # fmt: skip
