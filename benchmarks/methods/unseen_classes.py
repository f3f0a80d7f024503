"""Classes that no training image showed: what codes learned from the others are worth there.

    python -m benchmarks.methods.unseen_classes [--data FOLDER] [--workers 2]

A code that knows the training classes alone could be no more than their names. So one class of every superclass
is left out of training; its test images are the queries, and the whole training set with the images of the
left-out classes is ranked. Head, features and chosen hyper-parameters are those of benchmarks/methods/table.py.
Interrupted, the command goes on where it was.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.common.command import CPUS, Cache, Workers, start
from benchmarks.common.places import CIFAR100, FEATURES, RESULTS
from benchmarks.common.rows import Row, attempted, commits, matching, read_rows, run, workers
from benchmarks.common.tables import by_bits, by_method, publish
from benchmarks.methods.head import Problem, problem, quietly, trained
from benchmarks.methods.rankings import by_distance_and_weights, headlines
from benchmarks.methods.recipes import BITS, RECIPES, SEEDS, set_name
from benchmarks.methods.trials import chosen_options
from taxohash.taxonomy import Labels, Taxonomy
from taxohash.training.fit import embed

METHODS = ("csq", "dcwh", "shpdh", "treecode")
METRICS = {"mAP": "Fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}


def left_out(taxonomy: Taxonomy) -> Labels:
    """The last class of every coarsest node: int32[n]."""
    roots = taxonomy.ancestors[:, 0]
    return np.array([np.flatnonzero(roots == root)[-1] for root in np.unique(roots)], np.int32)


def without(known: Problem, classes: Labels) -> Problem:
    """The problem as it looks to one who has never heard of some classes; its queries stay."""
    kept = np.setdiff1d(np.arange(len(known.taxonomy)), classes)
    number = np.full(len(known.taxonomy), -1)
    number[kept] = np.arange(len(kept))
    labels = torch.from_numpy(number)[known.labels]
    tree = Taxonomy(
        known.taxonomy.name, tuple(known.taxonomy.paths[c] for c in kept), known.taxonomy.level_names
    )
    return Problem(
        tree,
        known.inputs[labels >= 0],
        labels[labels >= 0],
        known.queries,
        known.query_labels,
        known.data_md5,
    )


@quietly()
def measure(known: Problem, task: Row) -> Row:
    """Train a task without the left-out classes; the headline metrics of their queries."""
    classes = left_out(known.taxonomy)
    shown = without(known, classes)
    recipe = RECIPES[task["data"]]
    learned, network = trained(task, shown, shown.taxonomy, recipe)
    asked = np.isin(known.query_labels, classes)
    with torch.no_grad():
        database = embed(network, known.inputs, batch=5000)
        queries = embed(network, known.queries[torch.from_numpy(asked)], batch=5000)
    reports = by_distance_and_weights(
        recipe.protocol,
        learned,
        queries,
        known.query_labels[asked],
        database,
        known.labels.numpy().astype(np.int32),
        known.taxonomy,
    )
    return headlines(*reports) | {"data_md5": known.data_md5}


def _measured(folder: Path, cache: Path, task: Row) -> Row:
    return measure(problem(folder, "table", cache), task)


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = CIFAR100,
    cache: Cache = FEATURES,
    processes: Workers = CPUS,
) -> None:
    name = set_name(data)
    searched = read_rows(RESULTS / "methods.json")
    tasks: list[Row] = [
        {"data": name, "method": method, "bits": bits, "seed": seed}
        | {"options": chosen_options(searched, name, method, bits)}
        for seed in SEEDS
        for method in METHODS
        for bits in BITS
    ]
    rows = read_rows(RESULTS / "unseen-classes.json")
    with workers(processes) as pool:
        run(
            tasks,
            rows,
            RESULTS / "unseen-classes.json",
            partial(attempted, partial(_measured, data, cache)),
            pool=pool,
        )
    publish(RESULTS / "unseen-classes.md", as_markdown(matching(rows, data=name)))


def as_markdown(rows: list[Row]) -> list[str]:
    """Each metric by method and code length."""
    measured = [row for row in rows if row["metrics"]]
    first = measured[0]
    lines = [
        "# Classes that training never showed",
        "",
        f"`python -m benchmarks.methods.unseen_classes`, {first['data']} ({first['data_md5']}), commit {commits(measured)}, {len(SEEDS)} seeds, in "
        "per cent: one class of every superclass left out of training, its test images the queries, all training images the database.",
    ]
    for metric, title in METRICS.items():
        cells = by_method(BITS, METHODS, measured, metric)
        lines += ["", f"## {title}", "", *by_bits(BITS, cells)]
    return lines


if __name__ == "__main__":
    start(main)
