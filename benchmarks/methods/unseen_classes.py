"""Classes that no training image showed: what codes learned from the others are worth there.

    python -m benchmarks.methods.unseen_classes [--data ../shared/data/cifar100]

A code that knows the training classes alone could be no more than their names. So one class of every superclass
is left out of training; its test images are the queries, and the whole training set with the images of the
left-out classes is ranked. Head, features and chosen hyper-parameters are those of benchmarks/methods/table.py.
"""

import statistics
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.methods.head import RECIPES, Problem, problem, trained
from benchmarks.methods.trials import chosen_options
from taxohash.codes import pack
from taxohash.protocols import evaluate
from taxohash.runtime.atomic import read_json, replacing, write_json
from taxohash.runtime.progress import announce, console
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Labels, Taxonomy
from taxohash.training.fit import embed

METHODS = ("csq", "dcwh", "shpdh", "treecode")
BITS = 48
SEEDS = (0, 1, 2)
METRICS = ("mAP", "mAHP", "nDCG")
RESULTS = Path(__file__).resolve().parents[1] / "results"


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


def measured(known: Problem, name: str, method: str, options: dict[str, Any], seed: int) -> dict[str, float]:
    """Headline metrics of the left-out classes' queries."""
    classes = left_out(known.taxonomy)
    shown = without(known, classes)
    task = {"method": method, "bits": BITS, "seed": seed, "options": options}
    learned, network = trained(task, shown, shown.taxonomy, RECIPES[name])
    asked = np.isin(known.query_labels, classes)
    with torch.no_grad():
        database = learned.search_form(embed(network, known.inputs, batch=5000))
        queries = learned.search_form(
            embed(network, known.queries[torch.from_numpy(asked)], batch=5000), True
        )
    return evaluate(
        RECIPES[name].protocol,
        pack(queries.numpy()),
        known.query_labels[asked],
        pack(database.numpy()),
        known.labels.numpy().astype(np.int32),
        known.taxonomy,
        bits=BITS,
    ).headline


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = Path("../shared/data/cifar100"),
    cache: Annotated[str, typer.Option(help="folder of the frozen features")] = ".cache/features",
) -> None:
    console.quiet = True
    known = problem(str(data), "table", cache)
    rows = read_json(RESULTS / "methods.json", "run benchmarks.methods")
    runs = []
    for method in METHODS:
        options = chosen_options(rows, data.name, method, BITS)
        for seed in SEEDS:
            found = measured(known, data.name, method, options, seed)
            announce(f"{method}, seed {seed}: {found}")
            runs.append({"method": method, "seed": seed, "options": options, **found})
    found_all = {"data": data.name, "data_md5": known.data_md5, "bits": BITS, **revision(), "runs": runs}
    write_json(RESULTS / "unseen-classes.json", found_all)
    with replacing(RESULTS / "unseen-classes.md") as draft:
        draft.write_text(as_markdown(found_all), encoding="utf-8")
    print(as_markdown(found_all))


def as_markdown(found: dict[str, Any]) -> str:
    lines = [
        "# Classes that training never showed",
        "",
        f"`python -m benchmarks.methods.unseen_classes`, {found['data']} ({found['data_md5']}), {found['bits']} bits, commit {found['commit']}: one "
        "class of every superclass left out of training, its test images the queries, all training images the database.",
        "",
        "| method | fine mAP | mAHP | nDCG@100 |",
        "|---|---|---|---|",
    ]
    for method in METHODS:
        cells = []
        for metric in METRICS:
            values = [100 * run[metric] for run in found["runs"] if run["method"] == method]
            cells.append(f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
