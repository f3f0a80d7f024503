"""What treecode's posterior is worth before it is made into bits.

    python -m benchmarks.methods.posterior_ranking [--data ../shared/data/grocery]

The best order that a posterior p over classes allows, by the protocol's own gain, is that of the expected similarity
sum_y p_y s(y, x). Ranked so, with real numbers and with the true classes of the database, no method that starts from this
posterior can do better: what is missing then is missing in the posterior. The same for the mean posterior of MEMBERS
heads, which no single head of that size has. Head, features and chosen options are those of benchmarks/methods/table.py.
"""

import statistics
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.methods.head import RECIPES, Problem, head_config, problem, train_head
from benchmarks.methods.trials import chosen_options
from taxohash.objectives import Setting, build
from taxohash.objectives.supervision import Labels
from taxohash.protocols import evaluate
from taxohash.runtime.atomic import read_json, replacing, write_json
from taxohash.runtime.progress import announce, console
from taxohash.runtime.provenance import revision
from taxohash.training.fit import embed

BITS = (16, 32, 48, 64)
SEEDS = (0, 1, 2)
MEMBERS = 8
METRICS = ("mAP", "mAHP")
RESULTS = Path(__file__).resolve().parents[1] / "results"


def posterior(known: Problem, name: str, options: dict[str, Any], seed: int) -> Tensor:
    """What one trained head says of the queries: float[Q, C]."""
    torch.manual_seed(seed)
    learned = build(
        "treecode", Setting(BITS[-1], known.taxonomy, Labels(known.labels)), options | {"seed": seed}
    )
    network = train_head(learned, known, head_config(RECIPES[name], seed))
    with torch.no_grad():
        return torch.softmax(embed(network, known.queries, batch=5000), dim=1)


def ranked(known: Problem, name: str, p: Tensor) -> dict[str, float]:
    """Headline metrics of the ranking by expected similarity.

    With s = F F^T, sum_y p_y s(y, x) orders as the distance from p F to row x of F does: all rows are as long.
    """
    similarity = known.taxonomy.similarity.astype(np.float64)
    factor = np.linalg.cholesky(similarity + 1e-9 * np.eye(len(similarity)))
    return evaluate(
        RECIPES[name].protocol,
        (p.numpy() @ factor).astype(np.float32),
        known.query_labels,
        factor[known.labels.numpy()].astype(np.float32),
        known.labels.numpy().astype(np.int32),
        known.taxonomy,
        metric="l2",
    ).headline


def main(
    data: Annotated[Path, typer.Option(help="data set folder")] = Path("../shared/data/grocery"),
    cache: Annotated[str, typer.Option(help="folder of the frozen features")] = ".cache/features",
) -> None:
    console.quiet = True
    known = problem(str(data), "table", cache)
    rows = [
        row
        for row in read_json(RESULTS / "methods.json", "run benchmarks.methods")
        if (row["stage"], row["data"], row["shuffled"]) == ("table", data.name, False)
    ]
    options = chosen_options(rows, data.name, "treecode", BITS[-1])
    runs: dict[str, list[dict[str, float]]] = {}
    for method in ("shpdh", "treecode"):
        for bits in BITS:
            runs[f"{method}, {bits} bits (methods.json)"] = [
                row["metrics"] for row in rows if (row["method"], row["bits"]) == (method, bits)
            ]
    alone, together = "one posterior, ranked exactly", f"mean of {MEMBERS} posteriors, ranked exactly"
    for seed in SEEDS:
        members = [posterior(known, data.name, options, seed + len(SEEDS) * i) for i in range(MEMBERS)]
        for label, p in ((alone, members[0]), (together, torch.stack(members).mean(dim=0))):
            runs.setdefault(label, []).append(ranked(known, data.name, p))
            announce(f"{label}, seed {seed}: {runs[label][-1]}")
    table = {label: {m: [run[m] for run in found] for m in METRICS} for label, found in runs.items()}
    result = {"data": data.name, "data_md5": known.data_md5, "options": options, **revision(), "runs": table}
    write_json(RESULTS / "posterior-ranking.json", result)
    with replacing(RESULTS / "posterior-ranking.md") as draft:
        draft.write_text(as_markdown(result), encoding="utf-8")
    print(as_markdown(result))


def as_markdown(result: dict[str, Any]) -> str:
    lines = [
        "# What treecode's posterior is worth before it is made into bits",
        "",
        f"`python -m benchmarks.methods.posterior_ranking` on {result['data']}, data {result['data_md5']}, {len(SEEDS)} seeds, "
        f"commit {result['commit'][:12]}. Exact: by expected similarity under the posterior, in real numbers, with the true "
        "classes of the database.",
        "",
        "| | fine mAP | mAHP |",
        "|---|---|---|",
    ]
    for label, found in result["runs"].items():
        cells = [
            f"{100 * statistics.mean(found[m]):.1f} ± {100 * statistics.stdev(found[m]):.1f}" for m in METRICS
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    typer.run(main)
