"""How long a serving process takes to its first answer, and what packed kernels cost it.

    python -m services.retrieval.bento.build GENERATION --bento-home HOME
    python -m benchmarks.speed.cold_start HOME/bentos/taxohash-retrieval/VERSION

Writes cold-start.{json,md} into the folder of the results.
"""

import os
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import numbers
from benchmarks.common.machine import cpu_model
from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, write_rows
from benchmarks.common.tables import publish
from benchmarks.speed.cold_start import searches, serving, starts
from benchmarks.speed.cold_start.report import as_markdown
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import command, revision


def main(
    bento: Annotated[Path, typer.Argument(help="folder of a Bento in a home with its model, kernels packed")],
    items: Annotated[str, typer.Option(help="sizes of the collection, comma-separated")] = "100000,1000000",
    codes: Annotated[int, typer.Option(help="codes that are searched")] = 1_000_000,
    bits: Annotated[str, typer.Option(help="lengths of these codes, comma-separated")] = "64,128",
    rounds: Annotated[int, typer.Option(help="fresh processes of each way")] = 5,
    results: Annotated[Path, typer.Option(help="folder of cold-start.json and cold-start.md")] = RESULTS,
) -> None:
    rows = list[Row]()
    origin = {**revision(), "cpu": cpu_model(), "cores": os.cpu_count()}
    origin["command"] = command().replace(
        shlex.quote(str(bento)), "BENTO"
    )  # where it lies is this machine's matter
    bento = bento.resolve()
    packed = bento / "src"
    measures: list[Callable[[], list[Row]]] = [
        partial(serving.measure, bento, count, rounds) for count in numbers(items)
    ]
    measures += [partial(starts.measure, count, rounds, packed) for count in numbers(items)]
    measures += [
        partial(searches.measure, codes, length, clustered, rounds, packed)
        for length in numbers(bits)
        for clustered in (True, False)
    ]
    for number, measure in enumerate(measures):
        announce(f"cold start: {number + 1} of {len(measures)}")
        made_by = {**origin, "load": round(os.getloadavg()[0], 2)}
        rows += [row | {"made_by": made_by} for row in measure()]
        write_rows(results / "cold-start.json", rows)
    publish(results / "cold-start.md", as_markdown(rows))
