"""What the hierarchy gives on fashion-mnist: shpdh beside dcwh, which ignores it.

    python -m benchmarks.methods.fashion_mnist [--data data] [--work .cache/fashion-mnist] [--bits 48]

Same network, epochs and seeds; the training set is ranked for each of the 10,000 test images. Both objectives
keep the defaults, which were chosen on images held out of the training set. Finished runs below `--work`
are used again. Rows go to benchmarks/results/fashion-mnist.json, the table to fashion-mnist.md.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import start
from benchmarks.common.places import FASHION_MNIST, RESULTS, data_set
from benchmarks.common.rows import Row, commits, matching, percents, read_rows, run
from benchmarks.common.tables import publish, spread, table
from benchmarks.methods.recipes import SEEDS
from benchmarks.methods.runs import evaluated
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import HasherConfig, ObjectiveConfig, TrainingConfig
from taxohash.training.run import train

METHODS = ("shpdh", "dcwh")
EPOCHS = 7
METRICS = {"mAP": "fine mAP@all", "mAHP": "mAHP", "nDCG": "nDCG"}


def measure(data: Path, work: Path, task: Row) -> Row:
    """Train and evaluate one task."""
    made = train(
        data,
        work / f"{task['method']}-{task['bits']}-{task['seed']}",
        HasherConfig(
            objective=ObjectiveConfig(name=task["method"]),
            bits=task["bits"],
            training=TrainingConfig(epochs=task["epochs"], seed=task["seed"]),
        ),
    )
    return evaluated(made, data, "hierarchical")


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = FASHION_MNIST,
    work: Annotated[Path, typer.Option(help="folder of the runs")] = Path(".cache/fashion-mnist"),
    bits: Annotated[int, typer.Option(help="length of the code")] = 48,
) -> None:
    name = Taxonomy.load(data_set(data)).name
    rows = read_rows(RESULTS / "fashion-mnist.json")
    tasks: list[Row] = [
        {"data": name, "method": method, "bits": bits, "epochs": EPOCHS, "seed": seed}
        for seed in SEEDS
        for method in METHODS
    ]
    run(tasks, rows, RESULTS / "fashion-mnist.json", partial(measure, data, work))
    publish(RESULTS / "fashion-mnist.md", as_markdown(matching(rows, data=name, bits=bits)))


def as_markdown(rows: list[Row]) -> list[str]:
    """Mean and standard deviation over the seeds, in per cent."""
    first = rows[0]
    cells = [
        [method, *(spread(percents(matching(rows, method=method), metric), 2) for metric in METRICS)]
        for method in METHODS
    ]
    return [
        f"{first['data']} {first['data_md5']}, {first['bits']} bits, {first['epochs']} epochs, "
        f"{len(SEEDS)} seeds, protocol {first['protocol']}, commit {commits(rows)}, "
        "`python -m benchmarks.methods.fashion_mnist`:",
        "",
        *table(["method", *METRICS.values()], cells),
    ]


if __name__ == "__main__":
    start(main)
