"""The whole P1 report against a loop that sorts the database for every query.

    python -m benchmarks.speed.evaluation [--loop-queries 300] [--repeats 3] [--out FILE]

10,000 queries and 50,000 database codes of 64 bits, clustered by class and superclass as CIFAR-100's
classes are (20 superclasses of 5 classes). The loop does what evaluation scripts do: distances by a
matrix product of signs, argsort, cumulative sums; and only for the four metrics of the protocol's name
(mAP at two levels, mAHP@2500, nDCG@100), while the report holds all of them. It is timed on some of
the queries, evenly spread, and scaled to all; `--loop-queries 10000` times it on all. Both use all
cores that NumPy and the report would use by themselves.
"""

import json
import os
import resource
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from benchmarks.common.command import start
from benchmarks.common.timing import timed
from taxohash.codes import Codes
from taxohash.metrics.gain import discounts
from taxohash.protocols import Report, evaluate
from taxohash.runtime.atomic import write_json
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Taxonomy

BITS, QUERIES, DATABASE = 64, 10_000, 50_000
TREE = Taxonomy("cifar100", tuple((f"s{c // 5}", f"c{c}") for c in range(100)), ("superclass", "class"))
Labels = npt.NDArray[np.int64]


def clustered(labels: Labels, rng: np.random.Generator, centres: npt.NDArray[np.bool_]) -> Codes:
    """Packed codes: the class centre with some bits flipped, fewer for most items and more for some."""
    flips = rng.beta(1, 6, (len(labels), 1))
    return np.packbits(centres[labels] ^ (rng.random((len(labels), BITS)) < flips), axis=1)


def problem(seed: int) -> tuple[Codes, Labels, Codes, Labels]:
    rng = np.random.default_rng(seed)
    superclasses = np.repeat(rng.random((20, BITS)) < 0.5, 5, axis=0)
    centres = superclasses ^ (rng.random((100, BITS)) < 0.15)
    query, database = rng.permutation(QUERIES) % 100, rng.permutation(DATABASE) % 100
    return clustered(query, rng, centres), query, clustered(database, rng, centres), database


def loop(query: Codes, query_labels: Labels, database: Codes, database_labels: Labels) -> dict[str, float]:
    """The four metrics by one argsort a query, ties as the stable sort leaves them."""
    signs = [np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1 for codes in (query, database)]
    divisor, ranks = discounts("jk", 100), np.arange(1, len(database) + 1)
    sums = np.zeros(4)
    for code, label in zip(signs[0], query_labels, strict=True):
        distance = (BITS - signs[1] @ code) / 2
        agreement = TREE.agreement[label][database_labels[np.argsort(distance, kind="stable")]]
        ideal = np.sort(agreement)[::-1]
        for place, least in enumerate((2, 1)):
            relevant = agreement >= least
            sums[place] += (np.cumsum(relevant) / ranks)[relevant].mean()
        sums[2] += (np.cumsum(agreement[:2500]) / np.cumsum(ideal[:2500])).mean()
        sums[3] += (np.cumsum(agreement[:100] / divisor) / np.cumsum(ideal[:100] / divisor)).mean()
    names = ("mAP", "mAP/superclass", "mAHP@2500", "nDCG@100")
    return dict(zip(names, (sums / len(query)).tolist(), strict=True))


def main(
    loop_queries: Annotated[
        int, typer.Option(min=1, max=QUERIES, help="queries that the loop is timed on")
    ] = 300,
    repeats: Annotated[int, typer.Option(min=1, help="runs of each; the shortest counts")] = 3,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option(help="also write the JSON here")] = None,
) -> None:
    """Print one JSON object: seconds of both, their ratio, and the memory that the report took."""
    query, query_labels, database, database_labels = problem(seed)

    def whole() -> Report:
        return evaluate("hpdh-cifar100", query, query_labels, database, database_labels, TREE, bits=BITS)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = timed(whole).wall
    reports = [timed(whole) for _ in range(repeats)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    some = np.linspace(0, QUERIES - 1, loop_queries).astype(np.int64)
    loops = [
        timed(lambda: loop(query[some], query_labels[some], database, database_labels))
        for _ in range(repeats)
    ]
    same = evaluate(
        "hpdh-cifar100", query[some], query_labels[some], database, database_labels, TREE, bits=BITS
    )
    seconds, cpu = min(run.wall for run in reports), min(run.cpu for run in reports)
    subset, subset_cpu = min(run.wall for run in loops), min(run.cpu for run in loops)
    report, sorted_values = reports[0].result, loops[0].result
    scaled = subset * QUERIES / loop_queries
    result = {
        "benchmark": "evaluation",
        "protocol": report.protocol,
        **report.counts,
        "metrics": len(report.metrics),
        "report_seconds": round(seconds, 3),
        "report_seconds_first": round(first, 3),
        "report_memory_mib": round(memory / 1024, 1),
        "loop_queries": loop_queries,
        "loop_seconds": round(subset, 3),
        "loop_seconds_all_queries": round(scaled, 1),
        "loop_scaled": loop_queries < QUERIES,
        "ratio": round(scaled / seconds, 1),
        "report_cpu_seconds": round(cpu, 3),
        "loop_cpu_seconds": round(subset_cpu, 3),
        "cpu_ratio": round(subset_cpu * QUERIES / loop_queries / cpu, 1),
        "report_values": {name: round(same.metrics[name], 4) for name in sorted_values},
        "loop_values": {name: round(value, 4) for name, value in sorted_values.items()},
        "cpus": os.cpu_count(),
        **revision(),
    }
    print(json.dumps(result, indent=1))
    if out is not None:
        write_json(out, result)


if __name__ == "__main__":
    start(main)
