"""Methods where the database is as new as the query: the test images rank each other, in two halves.

    python -m benchmarks.methods.heldout [--data FOLDER] [--methods a,b] [--workers 2]

Where the database is the training set, as in benchmarks/methods/table.py, codes made of what a classifier is sure of look
their best: it is sure of all it was trained on. What users search is new to the network. Protocol `hpdh-heldout`; features,
head and chosen hyper-parameters are those of the table. Interrupted, the command goes on where it was.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import CPUS, Cache, Workers, choices, start
from benchmarks.common.places import CIFAR100, FEATURES, RESULTS
from benchmarks.common.rows import Row, attempted, commits, matching, read_rows, run, workers
from benchmarks.common.tables import by_bits, by_method, publish, spreads
from benchmarks.methods.recipes import BITS, RECIPES, SEEDS, set_name
from benchmarks.methods.trials import MAKERS, chosen_options, lengths, new_task

PROTOCOL = "hpdh-heldout"
METRICS = {"mAP": "Fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}
# Those of the table that are best at something there, and the cheapest.
METHODS = ("treecode", "shpdh", "csq", "dcwh", "idcwh", "dcdh", "itq")


def measure(folder: Path, cache: Path, task: Row) -> Row:
    """Train a task on the training set; the headline metrics of the test images among themselves."""
    import torch  # torch belongs to the workers

    from benchmarks.methods.head import problem, quietly, trained
    from benchmarks.methods.rankings import by_distance_and_weights, headlines
    from taxohash.training.fit import embed

    known = problem(folder, "table", cache)
    labels, taxonomy = known.query_labels, known.taxonomy
    with quietly():
        learned, network = trained(task, known, taxonomy, RECIPES[task["data"]])
        with torch.no_grad():
            outputs = embed(network, known.queries, batch=5000)
        reports = by_distance_and_weights(PROTOCOL, learned, outputs, labels, outputs, labels, taxonomy)
    return headlines(*reports) | {"data_md5": known.data_md5, "counts": reports[0].counts}


def tasks(data: str, methods: list[str], searched: list[Row]) -> list[Row]:
    """All runs, with the options that the table chose."""
    return [
        new_task(data, "heldout", method, bits, seed, options=chosen_options(searched, data, method, bits))
        for seed in SEEDS
        for method in methods
        for bits in lengths(method)
    ]


def main(
    data: Annotated[Path, typer.Option(help="CIFAR-100 as a data set folder")] = CIFAR100,
    methods: Annotated[str, typer.Option(help="comma-separated; the best of the table by default")] = "",
    cache: Cache = FEATURES,
    processes: Workers = CPUS,
) -> None:
    name = set_name(data)
    searched = read_rows(RESULTS / "methods.json")
    names = choices(methods, MAKERS) if methods else [*METHODS]
    rows = read_rows(RESULTS / "heldout.json")
    with workers(processes) as pool:
        run(
            tasks(name, names, searched),
            rows,
            RESULTS / "heldout.json",
            partial(attempted, partial(measure, data, cache)),
            pool=pool,
        )
    publish(RESULTS / "heldout.md", as_markdown(matching(rows, data=name), searched))


def as_markdown(rows: list[Row], searched: list[Row]) -> list[str]:
    """Each metric by method and code length, and beside it that of the table, whose database is the training set."""
    measured = [row for row in rows if row["metrics"]]
    first, known = measured[0], {row["method"] for row in measured}
    names = [method for method in MAKERS if method in known]
    table = matching(searched, stage="table", data=first["data"], shuffled=False)
    lines = [
        "# The database held out of training",
        "",
        f"`python -m benchmarks.methods.heldout`, {first['data']} ({first['data_md5']}), commit {commits(measured)}, {len(SEEDS)} seeds, in per "
        f"cent: the {first['counts']['queries']:,} test images in two halves, each ranks the other (protocol `{PROTOCOL}`). Below each, in "
        "italics, the same method where the database is the training set (methods.md).",
    ]
    for metric, title in METRICS.items():
        cells = [
            line
            for method in names
            for line in (
                *by_method(BITS, [method], measured, metric),
                [
                    "*training set*",
                    *(cell and f"*{cell}*" for cell in spreads(BITS, metric, matching(table, method=method))),
                ],
            )
        ]
        lines += ["", f"## {title}", "", *by_bits(BITS, cells)]
    return lines


if __name__ == "__main__":
    start(main)
