"""Methods with the whole backbone fine-tuned, under the same protocols as on frozen features.

    python -m benchmarks.methods.finetuned [--data ../shared/data/cifar100] [--methods shpdh,dcwh,csq,hashnet,treecode]
        [--bits 32,48] [--seeds 0] [--size 128] [--epochs 20]

Every method gets the same training; its options are those chosen for benchmarks/methods/table.py, on frozen features and
held-out rows, and nothing is chosen here. An interrupted command goes on at the epoch where it was, and finished runs
below `--work` are used again. Rows go to benchmarks/results/finetuned.json, the table to finetuned.md.
"""

import shlex
import statistics
import sys
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.methods.head import RECIPES, seeded
from benchmarks.methods.trials import MAKERS, chosen_options
from taxohash.errors import TaxohashError
from taxohash.evaluation.run import evaluate_run
from taxohash.runtime.atomic import read_json, replacing, write_json
from taxohash.runtime.progress import announce
from taxohash.training.config import TrainingConfig
from taxohash.training.distributed import device
from taxohash.training.run import train

RESULTS = Path(__file__).resolve().parents[1] / "results"
BACKBONE = "efficientnet_lite0"
METRICS = {"mAP": "fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}
SAME = ("data", "method", "bits", "seed", "size", "epochs")
Row = dict[str, Any]


def measured(
    data: Path, work: Path, method: str, bits: int, seed: int, options: dict[str, Any], size: int, epochs: int
) -> Row:
    """Train, or continue, or find one run; its row."""
    run = train(
        data,
        work / f"{data.name}-{method}-{bits}-{size}px-{epochs}-{seed}",
        objective=method,
        options=seeded(method, options, seed),
        bits=bits,
        backbone=BACKBONE,
        size=size,
        training=TrainingConfig(
            epochs=epochs,
            batch=64,
            optimiser="adam",
            lr=1e-3,
            weight_decay=0.05,
            seed=seed,
            augment="crop-flip",
        ),
    )
    report = evaluate_run(run.folder, data, RECIPES[data.name].protocol)
    announce(f"{method}, {bits} bits, seed {seed}: {report.headline}")
    return {
        "data": data.name,
        "data_md5": run.config.dataset_md5,
        "method": method,
        "bits": bits,
        "seed": seed,
        "size": size,
        "epochs": epochs,
        "options": options,
        "protocol": report.protocol,
        "counts": report.counts,
        "device": device(),
        "metrics": report.headline | report.metrics,
        "trained": run.provenance,
        "command": shlex.join(["python", "-m", "benchmarks.methods.finetuned", *sys.argv[1:]]),
    }


def table(rows: list[Row]) -> str:
    """A section for each data set, image size and number of epochs."""
    lines = [
        "# Methods with a fine-tuned backbone",
        "",
        "EfficientNet-Lite0 with ImageNet weights and one hash layer, all of it trained: AdamW at 1e-3, batches of 64, "
        "random crops and flips; database = training set, queries = test set; mean ± standard deviation over seeds, in per "
        "cent. Options of the objectives as chosen on frozen features (methods.md); nothing was chosen here.",
    ]
    for data, size, epochs in sorted({(row["data"], row["size"], row["epochs"]) for row in rows}):
        found = [row for row in rows if (row["data"], row["size"], row["epochs"]) == (data, size, epochs)]
        first = found[0]
        commits = ", ".join(sorted({row["trained"]["commit"][:12] for row in found}))
        lines += [
            "",
            f"## {data}, {size} px, {epochs} epochs",
            "",
            f"`{first['command']}`, data {first['data_md5']}, protocol {first['protocol']}, {first['device']}, commits {commits}.",
            "",
            "| method | bits | seeds | " + " | ".join(METRICS.values()) + " |",
            "|---" * (len(METRICS) + 3) + "|",
        ]
        for method, bits in product(MAKERS, sorted({row["bits"] for row in found})):
            runs = [row for row in found if (row["method"], row["bits"]) == (method, bits)]
            if runs:
                cells = [_cell([100 * run["metrics"][metric] for run in runs]) for metric in METRICS]
                lines.append(f"| {method} | {bits} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = Path("../shared/data/cifar100"),
    work: Annotated[Path, typer.Option(help="folder of the runs")] = Path(".cache/finetuned"),
    methods: Annotated[str, typer.Option(help="comma-separated")] = "shpdh,dcwh,csq,hashnet,treecode",
    bits: Annotated[str, typer.Option(help="comma-separated")] = "32,48",
    seeds: Annotated[str, typer.Option(help="comma-separated")] = "0",
    size: Annotated[int, typer.Option(help="image size in pixels")] = 128,
    epochs: Annotated[int, typer.Option(help="passes over the training set")] = 20,
) -> None:
    out = RESULTS / "finetuned.json"
    rows: list[Row] = read_json(out, "delete it to start again") if out.exists() else []
    searched = read_json(RESULTS / "methods.json", "run benchmarks.methods")
    try:
        for seed, length, method in product(seeds.split(","), bits.split(","), methods.split(",")):
            wanted = (data.name, method, int(length), int(seed), size, epochs)
            if wanted in {tuple(row[name] for name in SAME) for row in rows}:
                continue
            options = chosen_options(searched, data.name, method, int(length))
            options.pop("lr", None)  # that of the head
            rows.append(measured(data, work, method, int(length), int(seed), options, size, epochs))
            write_json(out, rows)
            with replacing(RESULTS / "finetuned.md") as draft:
                draft.write_text(table(rows), encoding="utf-8")
    except TaxohashError as error:
        print(f"finetuned: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if rows:
        print(table(rows))


if __name__ == "__main__":
    typer.run(main)
