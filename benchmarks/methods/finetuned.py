"""Methods with the whole backbone fine-tuned, under the same protocols as on frozen features.

    python -m benchmarks.methods.finetuned [--data FOLDER] [--methods shpdh,dcwh,csq,hashnet,treecode]
        [--bits 32,48] [--seeds 0] [--size 128] [--epochs 20]

Every method gets the same training; its options are those chosen for benchmarks/methods/table.py, on frozen features and
held-out rows, and nothing is chosen here. An interrupted command goes on at the epoch where it was, and finished runs
below `--work` are used again. Rows go to benchmarks/results/finetuned.json, the table to finetuned.md.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.command import choices, numbers, start
from benchmarks.common.places import CIFAR100, RESULTS
from benchmarks.common.rows import Row, commits, matching, percents, read_rows, run
from benchmarks.common.tables import by_ranking, publish, spread, table
from benchmarks.methods.head import seeded
from benchmarks.methods.recipes import RECIPES, set_name
from benchmarks.methods.runs import evaluated
from benchmarks.methods.trials import MAKERS, chosen_options
from taxohash.training.config import HasherConfig, NetworkConfig, ObjectiveConfig, TrainingConfig
from taxohash.training.distributed import device
from taxohash.training.run import train

BACKBONE = "efficientnet_lite0"
METRICS = {"mAP": "fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}


def measure(data: Path, work: Path, task: Row) -> Row:
    """Train, or continue, or find one run, and evaluate it."""
    name, method, bits, size, epochs, seed = (
        task[what] for what in ("data", "method", "bits", "size", "epochs", "seed")
    )
    made = train(
        data,
        work / f"{name}-{method}-{bits}-{size}px-{epochs}-{seed}",
        HasherConfig(
            objective=ObjectiveConfig(name=method, options=seeded(method, task["options"], seed)),
            bits=bits,
            network=NetworkConfig(name=BACKBONE, size=size),
            training=TrainingConfig(
                epochs=epochs,
                batch=64,
                optimiser="adam",
                lr=1e-3,
                weight_decay=0.05,
                seed=seed,
                augment="crop-flip",
            ),
        ),
    )
    return evaluated(made, data, RECIPES[name].protocol) | {"device": device()}


def as_markdown(rows: list[Row]) -> list[str]:
    """A section for each data set, image size and number of epochs."""
    lines = [
        "# Methods with a fine-tuned backbone",
        "",
        "EfficientNet-Lite0 with ImageNet weights and one hash layer, all of it trained: AdamW at 1e-3, batches of 64, "
        "random crops and flips; database = training set, queries = test set; mean ± standard deviation over seeds, in per "
        "cent. Options of the objectives as chosen on frozen features (methods.md); nothing was chosen here.",
    ]
    for data, size, epochs in sorted({(row["data"], row["size"], row["epochs"]) for row in rows}):
        found = matching(rows, data=data, size=size, epochs=epochs)
        first = found[0]
        share = (
            f"; by weights {first['weighted_queries']:,} queries, evenly spread"
            if "weighted_queries" in first
            else ""
        )
        settings = product(MAKERS, sorted({row["bits"] for row in found}))
        runs = {setting: matching(found, method=setting[0], bits=setting[1]) for setting in settings}
        cells = [
            line
            for (method, bits), own in runs.items()
            if own
            for line in by_ranking(method, own, partial(_cells, bits))
        ]
        lines += [
            "",
            f"## {data}, {size} px, {epochs} epochs",
            "",
            f"`python -m benchmarks.methods.finetuned --data {data} --size {size} --epochs {epochs}`, data {first['data_md5']}, "
            f"protocol {first['protocol']}, {first['device']}, commits {commits(found, 'trained')}{share}.",
            "",
            *table(["method", "bits", "seeds", *METRICS.values()], cells),
        ]
    return lines


def _cells(bits: int, rows: Sequence[Row], ranking: str) -> list[str]:
    return [f"{bits}", f"{len(rows)}", *(spread(percents(rows, metric, ranking)) for metric in METRICS)]


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = CIFAR100,
    work: Annotated[Path, typer.Option(help="folder of the runs")] = Path(".cache/finetuned"),
    methods: Annotated[str, typer.Option(help="comma-separated")] = "shpdh,dcwh,csq,hashnet,treecode",
    bits: Annotated[str, typer.Option(help="comma-separated")] = "32,48",
    seeds: Annotated[str, typer.Option(help="comma-separated")] = "0",
    size: Annotated[int, typer.Option(help="image size in pixels")] = 128,
    epochs: Annotated[int, typer.Option(help="passes over the training set")] = 20,
) -> None:
    name = set_name(data)
    searched = read_rows(RESULTS / "methods.json")
    tasks: list[Row] = []
    for seed, length, method in product(numbers(seeds), numbers(bits), choices(methods, MAKERS)):
        options = chosen_options(searched, name, method, length)
        options.pop("lr", None)  # that of the head
        tasks.append(
            {"data": name, "method": method, "bits": length, "size": size, "epochs": epochs, "seed": seed}
            | {"options": options}
        )  # fmt: skip
    rows = read_rows(RESULTS / "finetuned.json")
    try:
        run(tasks, rows, RESULTS / "finetuned.json", partial(measure, data, work))
    finally:  # a run takes hours: the table has those that are done
        if rows:
            publish(RESULTS / "finetuned.md", as_markdown(rows))


if __name__ == "__main__":
    start(main)
