"""How fast the service answers, beside bare routes that do the same and nothing else, and beside peers.

    python -m benchmarks.speed.serving                        as it is published, some 10 minutes
    python -m benchmarks.speed.serving --only code --codes 100000 --seconds 0.3 --rounds 2 --results /tmp

A client in a process of its own asks on loopback, one slice of the time after the other, each host in its turn; ratios are of
slices that follow each other, the best and the median. Everything runs on the same cores. Writes serving.{json,md} into the
folder of the results, keeping rows of what is not measured now; Ctrl-C leaves those of what has been.
"""

import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import choices
from benchmarks.common.machine import cpu_model
from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, read_rows, write_rows
from benchmarks.common.tables import publish
from benchmarks.speed.serving.client import asking
from benchmarks.speed.serving.measures import MEASURES, Sizes
from benchmarks.speed.serving.onnx_alone import settings
from benchmarks.speed.serving.report import as_markdown
from benchmarks.speed.serving.turns import Load
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import revision, started_as

DATA = Path("../shared/data/cifar100-mini")


def main(
    only: Annotated[
        str,
        typer.Option(help="of code, picture, peers, process, metrics, onnx, comma-separated; all by default"),
    ] = "",
    codes: Annotated[int, typer.Option(min=1000, help="codes that are searched by code")] = 1_000_000,
    peers: Annotated[
        int, typer.Option(min=1000, help="codes beside vector sets, and behind pictures")
    ] = 50_000,
    large: Annotated[int, typer.Option(min=1000, help="items in one process")] = 10_000_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="of a slice")] = 0.8,
    rounds: Annotated[int, typer.Option(min=1, help="slices of each host")] = 6,
    data: Annotated[
        Path, typer.Option(help="data set on which int8 is judged; left out where it is not there")
    ] = DATA,
    results: Annotated[Path, typer.Option(help="folder of serving.json and serving.md")] = RESULTS,
) -> None:
    file = results / "serving.json"
    rows = read_rows(file)
    # Where data and results lie is this machine's matter.
    with (
        started_as("python -m benchmarks.speed.serving" + (f" --only {only}" if only else "")),
        asking() as client,
    ):
        load, sizes = Load(client, seconds, rounds), Sizes(codes, peers, large)
        measures: dict[str, Callable[[], list[Row]]] = {
            name: partial(measure, load, sizes) for name, measure in MEASURES.items()
        }
        measures["onnx"] = lambda: settings(load, data if data.is_dir() else None)
        chosen = choices(only, measures)
        for number, name in enumerate(chosen):
            announce(f"serving: {name} ({number + 1} of {len(chosen)})")
            made_by = {**revision(), **_machine(), "seconds": seconds, "rounds": rounds}
            found = [row | {"part": name} | {"made_by": made_by} for row in measures[name]()]
            rows = [row for row in rows if row["part"] != name] + found
            write_rows(file, rows)
    publish(results / "serving.md", as_markdown(rows))


def _machine() -> Row:
    return {
        "cpu": cpu_model(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version(),
    }  # fmt: skip
