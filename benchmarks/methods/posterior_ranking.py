"""What treecode's posterior is worth before it is made into bits.

    python -m benchmarks.methods.posterior_ranking --data FOLDER

The best order that a posterior p over classes allows, by the protocol's own gain, is that of the expected similarity
sum_y p_y s(y, x). Ranked so, with real numbers and with the true classes of the database, no method that starts from this
posterior can do better: what is missing then is missing in the posterior. The same for the mean posterior of MEMBERS
heads, which no single head of that size has. Head, features and chosen options are those of benchmarks/methods/table.py, and
the codes beside it are those of its rows. The results are of grocery (benchmarks/methods/table.py says how to make it).
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.common.command import Cache, start
from benchmarks.common.places import FEATURES, RESULTS
from benchmarks.common.rows import Row, commits, matching, percents, read_rows, run
from benchmarks.common.tables import publish, spread, table
from benchmarks.methods.head import Problem, problem, quietly, trained
from benchmarks.methods.recipes import BITS, RECIPES, SEEDS, set_name
from benchmarks.methods.trials import chosen_options
from taxohash.protocols import evaluate
from taxohash.training.fit import embed

MEMBERS = 8
METRICS = {"mAP": "fine mAP", "mAHP": "mAHP"}


def posterior(known: Problem, task: Row, seed: int) -> Tensor:
    """What one trained head says of the queries: float[Q, C]."""
    # Its outputs are classes: how long its codes would be does not matter.
    head = task | {"bits": BITS[-1], "seed": seed, "options": task["options"] | {"branches": 1}}
    _, network = trained(head, known, known.taxonomy, RECIPES[task["data"]])
    with torch.no_grad():
        return torch.softmax(embed(network, known.queries, batch=5000), dim=1)


@quietly()
def measure(known: Problem, task: Row) -> Row:
    """Rank by expected similarity under the mean posterior of some heads; headline metrics.

    With s = F F^T, sum_y p_y s(y, x) orders as the distance from p F to row x of F does: all rows are as long.
    """
    seeds = [task["seed"] + len(SEEDS) * member for member in range(task["members"])]
    p = torch.stack([posterior(known, task, seed) for seed in seeds]).mean(dim=0)
    similarity = known.taxonomy.similarity.astype(np.float64)
    factor = np.linalg.cholesky(similarity + 1e-9 * np.eye(len(similarity)))
    report = evaluate(
        RECIPES[task["data"]].protocol,
        (p.numpy() @ factor).astype(np.float32),
        known.query_labels,
        factor[known.labels.numpy()].astype(np.float32),
        known.labels.numpy().astype(np.int32),
        known.taxonomy,
        metric="l2",
    )
    return {"data_md5": known.data_md5, "metrics": report.headline}


def main(
    data: Annotated[Path, typer.Option(help="data set folder")],
    cache: Cache = FEATURES,
) -> None:
    name = set_name(data)
    searched = read_rows(RESULTS / "methods.json")
    options = chosen_options(searched, name, "treecode", BITS[-1])
    tasks: list[Row] = [
        {"data": name, "method": "treecode", "members": members, "seed": seed, "options": options}
        for seed in SEEDS
        for members in (1, MEMBERS)
    ]
    rows = read_rows(RESULTS / "posterior-ranking.json")
    run(tasks, rows, RESULTS / "posterior-ranking.json", partial(measure, problem(data, "table", cache)))
    codes = matching(searched, stage="table", data=name, shuffled=False)
    publish(RESULTS / "posterior-ranking.md", as_markdown(matching(rows, data=name), codes))


def as_markdown(rows: list[Row], codes: list[Row]) -> list[str]:
    """The rankings of `rows` below those of the binary `codes` of the same data set."""
    found = {
        f"{method}, {bits} bits (methods.json)": matching(codes, method=method, bits=bits)
        for method in ("shpdh", "treecode")
        for bits in BITS
    }
    found["one posterior, ranked exactly"] = matching(rows, members=1)
    found[f"mean of {MEMBERS} posteriors, ranked exactly"] = matching(rows, members=MEMBERS)
    cells = [[label, *(spread(percents(own, metric)) for metric in METRICS)] for label, own in found.items()]
    first = rows[0]
    return [
        "# What treecode's posterior is worth before it is made into bits",
        "",
        f"`python -m benchmarks.methods.posterior_ranking` on {first['data']}, data {first['data_md5']}, {len(SEEDS)} seeds, "
        f"commit {commits(rows)}. Exact: by expected similarity under the posterior, in real numbers, with the true "
        "classes of the database.",
        "",
        *table(["ranking", *METRICS.values()], cells),
    ]


if __name__ == "__main__":
    start(main)
