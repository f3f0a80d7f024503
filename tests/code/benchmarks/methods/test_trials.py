"""The best trial is chosen on held-out rows, and other benchmarks take its options."""

from typing import Any

import pytest

from benchmarks.methods.trials import best_trial, chosen_options
from taxohash.errors import TaxohashError


def searched(**changes: Any) -> dict[str, Any]:
    return {"stage": "table", "data": "set", "method": "csq", "bits": 48, "options": {}} | changes


def test_options_are_those_of_the_table() -> None:
    rows = [
        searched(stage="search", options={"quantisation": 9.0}),
        searched(bits=32, options={"quantisation": 1.0}),
        searched(options={"quantisation": 0.5, "lr": 3e-3}),
    ]
    assert chosen_options(rows, "set", "csq", 48) == {"quantisation": 0.5, "lr": 3e-3}
    with pytest.raises(TaxohashError, match="no options for csq, 64 bits, on set"):
        chosen_options(rows, "set", "csq", 64)


def test_a_methods_best_trial() -> None:
    def row(method: str, trial: int, score: float | None, stage: str = "search") -> dict[str, Any]:
        metrics = None if score is None else {"mAHP@250": score}
        return {"data": "set", "stage": stage, "method": method, "trial": trial, "metrics": metrics}

    rows = [
        row("shpdh", 0, 0.5), row("shpdh", 1, 0.7), row("shpdh", 2, None),
        row("dcwh", 0, 0.9), row("shpdh", 0, 0.95, stage="table"),
    ]  # fmt: skip
    best = {
        method: best_trial(rows, "set", method, lambda metrics: metrics["mAHP@250"])
        for method in ("shpdh", "dcwh")
    }
    assert best == {"shpdh": 1, "dcwh": 0}
