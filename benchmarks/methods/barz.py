"""CIFAR-100 under the protocol of Barz and Denzler, on their tree: 163 nodes, eight levels, ragged.

    python -m benchmarks.methods.barz [--data ../shared/data/cifar100] [--workers 2]

Each of the 10,000 test images queries the 9,999 others; similarity is by the height of the common ancestor. Methods
that know levels learn from the tree with a level for each height, whose agreements are these similarities; the others
learn from labels. Features, head, trials and the way they are chosen are those of benchmarks/methods/table.py, but that
all are chosen by mAHP@250, on rows held out of the training set. Interrupted, the command goes on where it was.
"""

import multiprocessing
import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.methods.table import BITS, SEARCHED, SEEDS, Row, new_task, run
from benchmarks.methods.trials import MAKERS, trials
from taxohash.runtime.atomic import read_json, replacing
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import levels_by_height

METHODS = ("treecode", "shpdh", "csq", "dcwh", "hierarchy_embedding")
TREE = Path(__file__).resolve().parents[1] / "trees" / "cifar100-barz.json"
RESULTS = Path(__file__).resolve().parents[1] / "results"
SET = "cifar100-barz"
CHOSEN_BY = "mAHP@250"
METRICS = {"mAHP@250": "mAHP@250", "mAHP@250/wup": "the same by Wu and Palmer", "mAP": "fine mAP"}


def measure(folder: str, cache: str, task: Row) -> Row:
    """Train and evaluate one task; its metrics and what they were measured on."""
    import torch  # torch belongs to the workers

    from benchmarks.methods.head import RECIPES, problem, trained
    from taxohash.codes import pack
    from taxohash.protocols import evaluate
    from taxohash.training.fit import embed

    known = problem(folder, task["stage"], cache)
    tree = Taxonomy.load(TREE).relabelled(known.taxonomy)
    recipe = RECIPES[Path(folder).name]
    learned, network = trained(task, known, levels_by_height(tree), recipe)
    with torch.no_grad():
        items = learned.search_form(embed(network, known.queries, batch=5000)).numpy()
    labels = known.query_labels
    if learned.binary:
        codes = pack(items)
        report = evaluate("barz", codes, labels, codes, labels, tree, bits=items.shape[1])
    else:
        report = evaluate("barz", items, labels, items, labels, tree, metric="cosine")
    return {"metrics": report.metrics, "queries": len(items), "data_md5": known.data_md5}


def search_tasks(depth: int) -> list[Row]:
    return [
        new_task(SET, "search", method, SEARCHED, 0, trial=number, options=options)
        for method in METHODS
        for number, options in enumerate(trials(method, depth, SEARCHED))
    ]


def table_tasks(depth: int, rows: list[Row]) -> list[Row]:
    return [
        new_task(SET, "table", method, bits, seed, options=trials(method, depth, bits)[best(rows, method)])
        for seed in SEEDS
        for method in METHODS
        for bits in (BITS if MAKERS[method].counts_bits else BITS[:1])
    ]


def best(rows: list[Row], method: str) -> int:
    """The method's trial with the highest mAHP on held-out rows."""
    found = [row for row in rows if (row["stage"], row["method"]) == ("search", method) and row["metrics"]]
    return int(max(found, key=lambda row: row["metrics"][CHOSEN_BY])["trial"])


def main(
    data: Annotated[Path, typer.Option(help="CIFAR-100 as a data set folder")] = Path(
        "../shared/data/cifar100"
    ),
    cache: Annotated[str, typer.Option(help="folder of the frozen features")] = ".cache/features",
    workers: Annotated[int, typer.Option(help="processes, one thread each")] = os.cpu_count() or 1,
) -> None:
    depth = Taxonomy.load(TREE).relabelled(Taxonomy.load(data)).depth
    out = RESULTS / "barz.json"
    rows: list[Row] = read_json(out, "delete it to start again") if out.exists() else []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            run(pool, search_tasks(depth), rows, out, partial(measure, str(data), cache))
            run(pool, table_tasks(depth, rows), rows, out, partial(measure, str(data), cache))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    with replacing(RESULTS / "barz.md") as draft:
        draft.write_text(as_markdown(rows), encoding="utf-8")
    print(as_markdown(rows))


def as_markdown(rows: list[Row]) -> str:
    table = [row for row in rows if row["stage"] == "table" and row["metrics"]]
    commits = ", ".join(sorted({row["commit"][:12] for row in table}))
    lines = [
        "# CIFAR-100 under Barz and Denzler's protocol, on their tree",
        "",
        f"`python -m benchmarks.methods.barz`, data {table[0]['data_md5']}, commit {commits}, {len(SEEDS)} seeds: each of "
        f"{table[0]['queries']:,} test images queries the others, in per cent, ± standard deviation; a perfect ranking has "
        "mAHP@250 = 99.6. Heads on frozen EfficientNet-Lite0 features at 96 px, as in methods.md; hierarchy_embedding ranks "
        "real vectors of 100 dimensions. Published, on networks trained for it from scratch: 86.2 (PyramidNet-272-200), 83.1 "
        "(ResNet-110-wfc), 81.9 (Plain-11).",
    ]
    for metric, title in METRICS.items():
        lines += ["", f"## {title}", "", "| method | " + " | ".join(f"{bits} bits" for bits in BITS) + " |"]
        lines.append("|---" * (len(BITS) + 1) + "|")
        for method in METHODS:
            lines.append(
                f"| {method} | " + " | ".join(_cell(table, method, bits, metric) for bits in BITS) + " |"
            )
    lines += ["", "## Chosen on held-out rows, at 32 bits", "", "| method | options |", "|---|---|"]
    for method in METHODS:
        options = next(
            row["options"]
            for row in rows
            if row["stage"] == "search" and row["method"] == method and row["trial"] == best(rows, method)
        )
        lines.append(f"| {method} | {_shown(options)} |")
    return "\n".join(lines) + "\n"


def _cell(table: list[Row], method: str, bits: int, metric: str) -> str:
    values = [100 * row["metrics"][metric] for row in table if (row["method"], row["bits"]) == (method, bits)]
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}" if values else ""


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "as published"


if __name__ == "__main__":
    typer.run(main)
