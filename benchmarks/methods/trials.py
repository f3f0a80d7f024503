"""What is tried for each method, three settings, the paper's own first; and how the best is chosen.

The key `lr` is the learning rate of the head; all other keys are options of the objective.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.common.rows import Row, matching
from benchmarks.methods.recipes import BITS, SEARCHED
from taxohash.errors import TaxohashError

TRIALS = 3
Options = dict[str, Any]


@dataclass(frozen=True)
class Maker:
    """A method of the table.

    Attributes:
        settings: from the number of levels and of bits, what is tried.
        hierarchical: whether it learns from all levels, and is chosen by fine mAP and mAHP together.
        counts_bits: whether the code length means anything to it.
    """

    settings: Callable[[int, int], list[Options]]
    hierarchical: bool = False
    counts_bits: bool = True


def trials(method: str, depth: int, bits: int) -> list[Options]:
    """The settings to try: TRIALS of them, or one where there is nothing to choose."""
    found = MAKERS[method].settings(depth, bits)
    assert len(found) in (1, TRIALS), method
    return found


def lengths(method: str) -> tuple[int, ...]:
    """The code lengths of a method in a table."""
    return BITS if MAKERS[method].counts_bits else BITS[:1]


def search_tasks(data: str, methods: Iterable[str], depth: int) -> list[Row]:
    """All trials of some methods on a data set with a tree of that depth."""
    return [
        new_task(data, "search", method, SEARCHED, 0, trial=number, options=options)
        for method in methods
        for number, options in enumerate(trials(method, depth, SEARCHED))
    ]


def best_trial(
    rows: Iterable[Row], data: str, method: str, score: Callable[[dict[str, float]], float]
) -> int:
    """Number of the trial with the highest score of its metrics; one that failed is the worst."""
    found = matching(rows, stage="search", data=data, method=method)
    return int(max(found, key=lambda row: score(row["metrics"]) if row["metrics"] else -1.0)["trial"])


def new_task(
    data: str,
    stage: str,
    method: str,
    bits: int,
    seed: int,
    *,
    options: Options,
    shuffled: bool = False,
    trial: int = 0,
) -> Row:
    """A head to train: for "search", on held-out queries; for "table", on the test queries."""
    return {
        "data": data,
        "stage": stage,
        "method": method,
        "bits": bits,
        "seed": seed,
        "shuffled": shuffled,
        "trial": trial,
        "options": options,
    }


def chosen_options(rows: Iterable[Row], data: str, method: str, bits: int) -> Options:
    """What benchmarks/methods/table.py chose for a method on held-out rows, from its table's rows.

    Raises:
        TaxohashError: it has not run for these.
    """
    for row in matching(rows, stage="table", data=data, method=method, bits=bits):
        return dict(row["options"])
    raise TaxohashError(f"no options for {method}, {bits} bits, on {data}: run benchmarks.methods first")


def grid(name: str, *values: Any) -> Callable[[int, int], list[Options]]:
    return lambda depth, bits: [{name: value} for value in values]


def fixed(*settings: Options) -> Callable[[int, int], list[Options]]:
    return lambda depth, bits: list(settings)


def ramp(fine: float, coarse: float, depth: int) -> list[float]:
    """Inverse variances, fine -> coarse, evenly between two ends."""
    return [fine + (coarse - fine) * k / (depth - 1) for k in range(depth)]


def wider(name: str, published: Options, *values: float) -> Callable[[int, int], list[Options]]:
    """The published inverse variance, then others given for 32 bits; distances grow with bits, so s q is kept."""
    return lambda depth, bits: [published, *({name: value * 32 / bits} for value in values)]


def _dcwh(depth: int, bits: int) -> list[Options]:
    return [{"inverse_variances": [1.0]}, *({"inverse_variances": [s * 32 / bits]} for s in (0.6, 0.3))]


def _shpdh(depth: int, bits: int) -> list[Options]:
    ends = ((0.6, 0.3), (0.4, 0.4))
    published = {2: [1.0, 0.5]}.get(depth, ramp(1.0, 1 / depth, depth))
    tried = [published, *([s * 32 / bits for s in ramp(fine, coarse, depth)] for fine, coarse in ends)]
    return [{"inverse_variances": found, "level_weights": [1.0] * depth} for found in tried]


MAKERS: dict[str, Maker] = {
    "treecode": Maker(fixed({}, {"coarse": 0.0}, {"shrinkage": 0.1, "sharpness": 1.5}), hierarchical=True),
    "shpdh": Maker(_shpdh, hierarchical=True),
    "dcwh": Maker(_dcwh),
    "idcwh": Maker(wider("inverse_variance", {}, 0.3, 0.12)),
    "dcdh": Maker(wider("inverse_variance", {}, 0.12, 0.06)),
    "shdh": Maker(fixed({}, {"quantisation": 0.1}, {"lr": 3e-3}), hierarchical=True),
    "csq": Maker(grid("quantisation", 0.05, 1e-3, 0.5)),
    "hashnet": Maker(fixed({}, {"alpha": 0.3}, {"lr": 3e-3})),
    "dpsh": Maker(fixed({}, {"quantisation": 1.0}, {"lr": 3e-3})),
    "dtsh": Maker(fixed({}, {"margin": 5.0, "scale": 1.0}, {"lr": 3e-3})),
    "dsdh": Maker(fixed({}, {"quantisation": 1.0}, {"quantisation": 0.1})),
    "ssdh": Maker(fixed({}, {"binary": 0.1}, {"binary": 3.0})),
    "dqn": Maker(fixed({}, {"quantisation": 1e-2}, {"lr": 3e-3})),
    "itq": Maker(fixed({})),
    "ssq": Maker(fixed({})),
    "lsh": Maker(fixed({})),
    "hierarchy_embedding": Maker(
        grid("classification", 0.1, 0.01, 0.3), hierarchical=True, counts_bits=False
    ),
}
