"""What the hierarchy gives on fashion-mnist: shpdh beside dcwh, which ignores it.

    python -m benchmarks.methods.fashion_mnist [--data data] [--work .cache/fashion-mnist] [--bits 48]

Same network, epochs and seeds; the training set is ranked for each of the 10,000 test images. Both objectives
keep the defaults, which were chosen on images held out of the training set. Finished runs below `--work`
are used again. The table goes to benchmarks/results/fashion-mnist.json and .md.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.run import evaluate_run
from taxohash.runtime.atomic import replacing, write_json
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import revision
from taxohash.training.config import TrainingConfig
from taxohash.training.run import train

OBJECTIVES = ("shpdh", "dcwh")
SEEDS = (0, 1, 2)
METRICS = ("mAP", "mAHP", "nDCG")
RESULTS = Path(__file__).resolve().parents[1] / "results"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods.fashion_mnist", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--work", type=Path, default=Path(".cache/fashion-mnist"))
    parser.add_argument("--bits", type=int, default=48)
    chosen = parser.parse_args(arguments)
    try:
        rows = [
            measured(chosen.data, chosen.work, objective, chosen.bits, seed)
            for seed in SEEDS
            for objective in OBJECTIVES
        ]
        found = {
            "dataset_md5": Dataset.open(chosen.data).md5(),
            "bits": chosen.bits,
            "epochs": TrainingConfig.epochs,
            **revision(),
            "runs": rows,
        }
    except TaxohashError as error:
        print(f"fashion_mnist: {error}", file=sys.stderr)
        return 2
    write_json(RESULTS / "fashion-mnist.json", found)
    with replacing(RESULTS / "fashion-mnist.md") as draft:
        draft.write_text(table(found), encoding="utf-8")
    print(table(found))
    return 0


def measured(data: Path, work: Path, objective: str, bits: int, seed: int) -> dict[str, Any]:
    """One run's headline metrics."""
    run = train(
        data,
        work / f"{objective}-{bits}-{seed}",
        objective=objective,
        bits=bits,
        training=TrainingConfig(seed=seed),
    )
    report = evaluate_run(run.folder, data)
    announce(f"{objective}, seed {seed}: {report.headline}")
    return {
        "objective": objective,
        "seed": seed,
        "protocol": report.protocol,
        "trained": run.provenance,
        **report.headline,
    }


def table(found: dict[str, Any]) -> str:
    """Mean and standard deviation over the seeds, in per cent."""
    lines = [
        f"fashion-mnist {found['dataset_md5']}, {found['bits']} bits, {found['epochs']} epochs, "
        f"{len(SEEDS)} seeds, protocol {found['runs'][0]['protocol']}, commit {found['commit'][:12]}, "
        "`python -m benchmarks.methods.fashion_mnist`:",
        "",
        "| objective | " + " | ".join({"mAP": "fine mAP@all"}.get(name, name) for name in METRICS) + " |",
        "|---|" + "---|" * len(METRICS),
    ]
    for objective in OBJECTIVES:
        runs = [run for run in found["runs"] if run["objective"] == objective]
        cells = []
        for name in METRICS:
            values = [100 * run[name] for run in runs]
            cells.append(f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}")
        lines.append(f"| {objective} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
