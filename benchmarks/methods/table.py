"""Every method on frozen features: methods x code lengths x seeds under the protocols of the paper.

    python -m benchmarks.methods [--data FOLDER]... [--methods a,b] [--workers 2] [--trials-only] [--report-only]

Hyper-parameters are searched first, on rows held out of the training set and never on the test queries:
for every method and data set the same number of trials, at 32 bits (benchmarks/methods/trials.py). Then each
method is trained with its best trial under three seeds and evaluated on the test queries. Every run is one
JSON row in benchmarks/results/methods.json, written as soon as it is done: an interrupted command goes on
where it was. The Markdown table and the figure are made from the rows alone.
"""

import multiprocessing
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.methods.report import write_report
from benchmarks.methods.trials import MAKERS, trials
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json, write_json
from taxohash.runtime.progress import bars

BITS = (16, 32, 48, 64)
SEARCHED = 32
SEEDS = (0, 1, 2)
RESULTS = Path("benchmarks/results")
# A hierarchical method must lose its advantage when the tree it learns from is another one.
CONTROLS = ("shpdh", "treecode")
Row = dict[str, Any]


def identity(row: Row) -> tuple[Any, ...]:
    """What makes two rows the same run."""
    return (row["data"], row["stage"], row["method"], row["bits"], row["seed"], row["shuffled"], row["trial"])


def search_tasks(data: str, methods: list[str], depth: int) -> list[Row]:
    return [
        new_task(data, "search", method, SEARCHED, 0, trial=number, options=options)
        for method in methods
        for number, options in enumerate(trials(method, depth, SEARCHED))
    ]


def table_tasks(data: str, methods: list[str], depth: int, seed: int, rows: list[Row]) -> list[Row]:
    tasks = []
    for method in methods:
        number = best_trial(rows, data, method)
        for bits in BITS if MAKERS[method].counts_bits else BITS[:1]:
            chosen = trials(method, depth, bits)[number]
            for control in (False, True) if method in CONTROLS else (False,):
                tasks.append(new_task(data, "table", method, bits, seed, shuffled=control, options=chosen))
    return tasks


def best_trial(rows: list[Row], data: str, method: str) -> int:
    """The trial that keeps best what the method promises: fine mAP, or also mAHP where it knows the levels."""
    found = [row for row in rows if (row["stage"], row["data"], row["method"]) == ("search", data, method)]
    return int(max(found, key=lambda row: promise(method, row["metrics"]))["trial"])


def promise(method: str, metrics: dict[str, float] | None) -> float:
    if metrics is None:
        return -1.0
    if MAKERS[method].hierarchical:
        return (metrics["mAP"] + metrics["mAHP"]) / 2
    return metrics["mAP"]


def new_task(
    data: str,
    stage: str,
    method: str,
    bits: int,
    seed: int,
    *,
    options: dict[str, Any],
    shuffled: bool = False,
    trial: int = 0,
) -> Row:
    return {
        "data": data,
        "stage": stage,
        "method": method,
        "bits": bits,
        "seed": seed,
        "shuffled": shuffled,
        "trial": trial,
        "options": options,
    }


def run(pool: Executor, tasks: list[Row], rows: list[Row], out: Path, measure: Callable[[Row], Row]) -> None:
    """Measure the tasks whose rows are missing; append to `rows` and write them after each."""
    known = {identity(row) for row in rows}
    missing = [task for task in tasks if identity(task) not in known]
    common = {
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
        "commit": _commit(),
    }
    with bars() as progress:
        bar = progress.add_task("runs", total=len(tasks), completed=len(tasks) - len(missing), note="")
        futures = {pool.submit(timed, measure, task): task for task in missing}
        for future in as_completed(futures):
            rows.append(futures[future] | common | future.result())
            write_json(out, rows)
            progress.update(bar, advance=1, note=futures[future]["method"])


def timed(measure: Callable[[Row], Row], task: Row) -> Row:
    """What was measured, or why not, and how long it took."""
    started, spent = time.perf_counter(), time.process_time()
    try:
        result = measure(task)
    except TaxohashError as error:
        result = {"metrics": None, "error": str(error)}
    return result | {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time() - spent, 2),
    }


def _measured(folders: dict[str, str], cache: str, task: Row) -> Row:
    from benchmarks.methods.head import measure  # torch belongs to the workers

    return measure(task, folders[task["data"]], cache)


def _module() -> str:
    """Name of the module that was started with `python -m`."""
    spec = sys.modules["__main__"].__spec__
    return spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).stem


def _commit() -> str:
    run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def main(
    data: Annotated[list[str] | None, typer.Option(help="data set folders")] = None,
    methods: Annotated[str, typer.Option(help="comma-separated; all by default")] = "",
    cache: Annotated[str, typer.Option(help="folder of the frozen features")] = ".cache/features",
    workers: Annotated[int, typer.Option(help="processes, one thread each")] = os.cpu_count() or 1,
    trials_only: Annotated[bool, typer.Option(help="search, but do not touch the test queries")] = False,
    report_only: Annotated[bool, typer.Option(help="write table and figure from the rows there are")] = False,
) -> None:
    from taxohash.taxonomy import Taxonomy

    folders = {
        Path(folder).name: folder for folder in data or ["../shared/data/cifar100", "../shared/data/grocery"]
    }
    names = methods.split(",") if methods else list(MAKERS)
    out = RESULTS / "methods.json"
    rows: list[Row] = read_json(out, "delete it to start again") if out.exists() else []
    measure = partial(_measured, folders, cache)
    depths = {name: Taxonomy.load(folder).depth for name, folder in folders.items()}
    if not report_only:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            try:
                for name, depth in depths.items():
                    run(pool, search_tasks(name, names, depth), rows, out, measure)
                # Seeds outermost: an interrupted table already has every method.
                for seed in () if trials_only else SEEDS:
                    for name, depth in depths.items():
                        tasks = table_tasks(name, names, depth, seed, rows)
                        run(pool, tasks, rows, out, measure)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
    write_report(rows, RESULTS)
