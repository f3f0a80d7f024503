"""The table puts every method beside what it has where the database is the training set."""

from benchmarks.common.rows import Row
from benchmarks.methods.heldout import METRICS, as_markdown, tasks
from benchmarks.methods.recipes import BITS, SEEDS


def row(method: str, bits: int, seed: int, value: float, **more: object) -> Row:
    own = {
        "data": "cifar100",
        "method": method,
        "bits": bits,
        "seed": seed,
        "data_md5": "md5",
        "commit": "abc",
    }
    return own | {"metrics": dict.fromkeys(METRICS, value), "counts": {"queries": 10_000}} | more


def test_options_are_those_of_the_table() -> None:
    searched = [row("csq", bits, 0, 0.5, stage="table", options={"lr": bits / 1000}) for bits in BITS]
    found = tasks("cifar100", ["csq"], searched)
    assert len(found) == len(BITS) * len(SEEDS)
    assert {(task["bits"], task["options"]["lr"]) for task in found} == {(bits, bits / 1000) for bits in BITS}


def test_each_metric_stands_above_that_of_the_table() -> None:
    rows = [row("csq", 16, seed, value) for seed, value in enumerate((0.2, 0.3))]
    rows.append(row("csq", 32, 0, 0.0) | {"metrics": None})  # it failed
    searched = [row("csq", 16, 0, 0.5, stage="table", shuffled=False)]
    lines = as_markdown(rows, searched)
    (number, *_) = (number for number, line in enumerate(lines) if line.startswith("| csq "))
    assert lines[number].startswith("| csq | 25.0 ± 7.1 |  |")
    assert lines[number + 1].startswith("| *training set* | *50.0* |")
    assert "10,000 test images" in "".join(lines)


def test_what_was_ranked_by_weights_has_a_line_of_its_own() -> None:
    rows = [row("csq", 16, 0, 0.2, weighted=dict.fromkeys(METRICS, 0.25)), row("csq", 16, 1, 0.3)]
    lines = as_markdown(rows, [])
    (number, *_) = (number for number, line in enumerate(lines) if line.startswith("| csq "))
    assert lines[number].startswith("| csq | 25.0 ± 7.1 |  |")
    assert lines[number + 1].startswith("| *by weights* | 25.0 |  |")
    assert lines[number + 2].startswith("| *training set* |")
