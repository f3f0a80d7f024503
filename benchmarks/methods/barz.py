"""CIFAR-100 under the protocol of Barz and Denzler, on their tree: 163 nodes, eight levels, ragged.

    python -m benchmarks.methods.barz [--data FOLDER] [--workers 2]

Each of the 10,000 test images queries the 9,999 others; similarity is by the height of the common ancestor. Methods
that know levels learn from the tree with a level for each height, whose agreements are these similarities; the others
learn from labels. Features, head, trials and the way they are chosen are those of benchmarks/methods/table.py, but that
all are chosen by mAHP@250, on rows held out of the training set. Interrupted, the command goes on where it was.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import CPUS, Cache, Workers, start
from benchmarks.common.places import CIFAR100, FEATURES, RESULTS, data_set
from benchmarks.common.rows import (
    Row,
    attempted,
    commits,
    matching,
    read_rows,
    run,
    workers,
)
from benchmarks.common.tables import by_bits, by_method, options_cell, publish, table
from benchmarks.methods.recipes import BITS, SEEDS
from benchmarks.methods.trials import best_trial, lengths, new_task, search_tasks, trials
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import levels_by_height

METHODS = ("treecode", "shpdh", "csq", "dcwh", "hierarchy_embedding")
TREE = Path(__file__).resolve().parents[1] / "trees" / "cifar100-barz.json"
SET = "cifar100-barz"
CHOSEN_BY = "mAHP@250"
METRICS = {"mAHP@250": "mAHP@250", "mAHP@250/wup": "the same by Wu and Palmer", "mAP": "fine mAP"}


def measure(folder: Path, cache: Path, task: Row) -> Row:
    """Train and evaluate one task; its metrics and what they were measured on."""
    import torch  # torch belongs to the workers

    from benchmarks.methods.head import problem, quietly, trained
    from benchmarks.methods.rankings import by_distance_and_weights
    from benchmarks.methods.recipes import RECIPES, set_name
    from taxohash.protocols import evaluate
    from taxohash.training.fit import embed

    known = problem(folder, task["stage"], cache)
    tree = Taxonomy.load(TREE).relabelled(known.taxonomy)
    labels = known.query_labels
    with quietly():
        learned, network = trained(task, known, levels_by_height(tree), RECIPES[set_name(folder)])
        with torch.no_grad():
            outputs = embed(network, known.queries, batch=5000)
            if learned.binary:
                reports = [*by_distance_and_weights("barz", learned, outputs, labels, outputs, labels, tree)]
            else:
                items = learned.search_form(outputs).numpy()
                reports = [evaluate("barz", items, labels, items, labels, tree, metric="cosine")]
    found = [{name: report.metrics[name] for name in METRICS} for report in reports]
    return dict(zip(("metrics", "weighted"), found, strict=False)) | {
        "queries": len(outputs),
        "data_md5": known.data_md5,
    }


def table_tasks(depth: int, rows: list[Row]) -> list[Row]:
    """All runs of the table."""
    return [
        new_task(SET, "table", method, bits, seed, options=trials(method, depth, bits)[best(rows, method)])
        for seed in SEEDS
        for method in METHODS
        for bits in lengths(method)
    ]


def best(rows: list[Row], method: str) -> int:
    """The method's trial with the highest mAHP on held-out rows."""
    return best_trial(rows, SET, method, lambda metrics: metrics[CHOSEN_BY])


def main(
    data: Annotated[Path, typer.Option(help="CIFAR-100 as a data set folder")] = CIFAR100,
    cache: Cache = FEATURES,
    processes: Workers = CPUS,
) -> None:
    depth = Taxonomy.load(TREE).relabelled(Taxonomy.load(data_set(data))).depth
    rows = read_rows(RESULTS / "barz.json")
    measure_all = partial(
        run, rows=rows, file=RESULTS / "barz.json", measure=partial(attempted, partial(measure, data, cache))
    )
    with workers(processes) as pool:
        measure_all(search_tasks(SET, METHODS, depth), pool=pool)
        measure_all(table_tasks(depth, rows), pool=pool)
    publish(RESULTS / "barz.md", as_markdown(rows))


def as_markdown(rows: list[Row]) -> list[str]:
    """Three metrics by method and code length, and the options that were chosen."""
    measured = [row for row in matching(rows, stage="table") if row["metrics"]]
    lines = [
        "# CIFAR-100 under Barz and Denzler's protocol, on their tree",
        "",
        f"`python -m benchmarks.methods.barz`, data {measured[0]['data_md5']}, commit {commits(measured)}, {len(SEEDS)} seeds: each of "
        f"{measured[0]['queries']:,} test images queries the others, in per cent, ± standard deviation; a perfect ranking has "
        "mAHP@250 = 99.6. Heads on frozen EfficientNet-Lite0 features at 96 px, as in methods.md; hierarchy_embedding ranks "
        "real vectors of 100 dimensions. Published, on networks trained for it from scratch: 86.2 (PyramidNet-272-200), 83.1 "
        "(ResNet-110-wfc), 81.9 (Plain-11).",
    ]
    for metric, title in METRICS.items():
        cells = by_method(BITS, METHODS, measured, metric)
        lines += ["", f"## {title}", "", *by_bits(BITS, cells)]
    chosen = {
        method: matching(rows, stage="search", method=method, trial=best(rows, method)) for method in METHODS
    }
    cells = [[method, options_cell(found[0]["options"])] for method, found in chosen.items()]
    return [*lines, "", "## Chosen on held-out rows, at 32 bits", "", *table(["method", "options"], cells)]


if __name__ == "__main__":
    start(main)
