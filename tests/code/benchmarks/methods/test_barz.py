"""Each method keeps its own best trial, by the number of the protocol."""

from typing import Any

from benchmarks.methods.barz import best


def test_a_methods_best_trial() -> None:
    def row(method: str, trial: int, score: float | None, stage: str = "search") -> dict[str, Any]:
        metrics = None if score is None else {"mAHP@250": score}
        return {"stage": stage, "method": method, "trial": trial, "metrics": metrics}

    rows = [
        row("shpdh", 0, 0.5), row("shpdh", 1, 0.7), row("shpdh", 2, None),
        row("dcwh", 0, 0.9), row("shpdh", 0, 0.95, stage="table"),
    ]  # fmt: skip
    assert (best(rows, "shpdh"), best(rows, "dcwh")) == (1, 0)
