"""Every method on frozen features: methods x code lengths x seeds under the protocols of the paper.

    python -m benchmarks.methods [--data FOLDER]... [--methods a,b] [--workers 2] [--trials-only] [--report-only]

Hyper-parameters are searched first, on rows held out of the training set and never on the test queries:
for every method and data set the same number of trials, at 32 bits (benchmarks/methods/trials.py). Then each
method is trained with its best trial under three seeds and evaluated on the test queries. Every run is one
row in benchmarks/results/methods.json; the Markdown table and the figure are made from the rows alone.

The data set is CIFAR-100, made by `taxohash data prepare cifar100 .cache/data/cifar100`. The other one of the
results, the Grocery Store Dataset (Klasson et al. 2019), is an image tree: put the folders train, val and test of its
folder `dataset` into one named grocery and give what `taxohash data prepare folder` makes of that as `--data`.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import CPUS, Cache, Workers, choices
from benchmarks.common.places import CIFAR100, FEATURES, RESULTS
from benchmarks.common.rows import Row, attempted, read_rows, run, workers
from benchmarks.methods.recipes import SEEDS, set_name
from benchmarks.methods.report import write_report
from benchmarks.methods.trials import MAKERS, best_trial, lengths, new_task, search_tasks, trials
from taxohash.taxonomy import Taxonomy

# A hierarchical method must lose its advantage when the tree it learns from is another one.
CONTROLS = ("shpdh", "treecode")


def table_tasks(data: str, methods: list[str], depth: int, seed: int, rows: list[Row]) -> list[Row]:
    """All runs of the table for one data set and seed."""
    tasks = []
    for method in methods:
        number = best_trial(rows, data, method, partial(promise, method))
        for bits in lengths(method):
            chosen = trials(method, depth, bits)[number]
            for control in (False, True) if method in CONTROLS else (False,):
                tasks.append(new_task(data, "table", method, bits, seed, shuffled=control, options=chosen))
    return tasks


def promise(method: str, metrics: dict[str, float]) -> float:
    """How well a trial keeps what its method promises: fine mAP, or also mAHP where it knows the levels."""
    if MAKERS[method].hierarchical:
        return (metrics["mAP"] + metrics["mAHP"]) / 2
    return metrics["mAP"]


def _measured(folders: dict[str, Path], cache: Path, task: Row) -> Row:
    from benchmarks.methods.head import measure  # torch belongs to the workers

    return measure(task, folders[task["data"]], cache)


def main(
    data: Annotated[list[Path] | None, typer.Option(help=f"data set folders; {CIFAR100} by default")] = None,
    methods: Annotated[str, typer.Option(help="comma-separated; all by default")] = "",
    cache: Cache = FEATURES,
    processes: Workers = CPUS,
    trials_only: Annotated[bool, typer.Option(help="search, but do not touch the test queries")] = False,
    report_only: Annotated[bool, typer.Option(help="write table and figure from the rows there are")] = False,
) -> None:
    rows = read_rows(RESULTS / "methods.json")
    if not report_only:
        folders = {set_name(folder): folder for folder in data or [CIFAR100]}
        depths = {name: Taxonomy.load(folder).depth for name, folder in folders.items()}
        names = choices(methods, MAKERS)
        measure_all = partial(
            run,
            rows=rows,
            file=RESULTS / "methods.json",
            measure=partial(attempted, partial(_measured, folders, cache)),
        )
        with workers(processes) as pool:
            for name, depth in depths.items():
                measure_all(search_tasks(name, names, depth), pool=pool)
            # Seeds outermost: an interrupted table already has every method.
            for seed in () if trials_only else SEEDS:
                for name, depth in depths.items():
                    measure_all(table_tasks(name, names, depth, seed, rows), pool=pool)
    write_report(rows, RESULTS)
