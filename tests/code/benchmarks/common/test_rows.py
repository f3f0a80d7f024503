"""Rows are written a line each, after every run, and an interrupted benchmark goes on where it was."""

import json
import re
from functools import partial
from pathlib import Path

import pytest

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import (
    Row,
    attempted,
    commits,
    identity,
    matching,
    percents,
    portable,
    read_rows,
    run,
    workers,
    write_rows,
)
from taxohash.errors import TaxohashError


def tasks(count: int) -> list[Row]:
    return [{"method": "csq", "bits": 16, "seed": seed, "options": {"lr": [0.1]}} for seed in range(count)]


def doubled(task: Row) -> Row:
    return {"metrics": {"mAP": 2 * task["seed"]}}


def failing_at(seed: int, task: Row) -> Row:
    if task["seed"] == seed:
        raise TaxohashError("the loss is not finite")
    return doubled(task)


def test_a_row_a_line_and_the_same_values_back(tmp_path: Path) -> None:
    rows: list[Row] = [{"method": "csq", "metrics": {"mAP": 1 / 3}}, {"method": "±", "metrics": None}]
    file = tmp_path / "rows.json"
    write_rows(file, rows)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 4)
    assert [json.loads(line.rstrip(",")) for line in lines[1:-1]] == rows
    assert json.loads(file.read_text(encoding="utf-8")) == read_rows(file) == rows


def test_no_rows_are_an_empty_list_and_other_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    assert read_rows(file) == []
    write_rows(file, [])
    assert read_rows(file) == []
    file.write_text("[1, 2")
    with pytest.raises(TaxohashError, match="delete it to start again"):
        read_rows(file)


def test_a_failure_keeps_what_is_done_and_the_next_call_does_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    rows: list[Row] = []
    with pytest.raises(TaxohashError, match="not finite"):
        run(tasks(4), rows, file, partial(failing_at, 2))
    assert [row["seed"] for row in read_rows(file)] == [0, 1]
    asked: list[int] = []

    def measure(task: Row) -> Row:
        asked.append(task["seed"])
        return doubled(task)

    run(tasks(4), rows, file, measure)
    assert asked == [2, 3]
    assert [row["metrics"]["mAP"] for row in read_rows(file)] == [0, 2, 4, 6]
    assert all(row["command"] and row["commit"] and row["options"] == {"lr": [0.1]} for row in rows)
    run(tasks(4), rows, file, measure)
    assert asked == [2, 3]


def test_processes_measure_what_one_does(tmp_path: Path) -> None:
    rows: list[Row] = []
    with workers(2) as pool:
        run(tasks(3), rows, tmp_path / "rows.json", partial(attempted, partial(failing_at, 1)), pool)
    found = {row["seed"]: row for row in rows}
    assert {seed: row["metrics"] for seed, row in found.items()} == {0: {"mAP": 0}, 1: None, 2: {"mAP": 4}}
    assert found[1]["error"] == "the loss is not finite"
    assert all(row["cpu_seconds"] >= 0 for row in rows)


def test_options_do_not_make_another_run_but_what_is_varied_does() -> None:
    task = tasks(1)[0]
    assert identity(task | {"options": {}, "metrics": {}}) == identity(task)
    assert (
        len(
            {identity(task | {"bits": bits, "shuffled": tree}) for bits in (16, 32) for tree in (True, False)}
        )
        == 4
    )


def test_rows_are_found_by_their_values() -> None:
    rows: list[Row] = [
        {"method": "csq", "bits": 16, "metrics": {"mAP": 0.25}},
        {"method": "csq", "bits": 32, "metrics": {"mAP": 0.5}},
        {"method": "dcwh", "metrics": {"mAP": 1}},
    ]
    assert matching(rows, method="csq", bits=32) == rows[1:2]
    assert matching(rows, bits=None) == rows[2:]
    assert percents(rows, "mAP") == [25.0, 50.0, 100.0]


def test_commits_are_short_and_say_whether_they_are_all() -> None:
    a, b = "a" * 40, "b" * 40
    rows: list[Row] = [{"commit": b}, {"commit": a}, {"commit": a}, {"commit": a + "-dirty"}]
    assert commits(rows) == "aaaaaaaaaaaa, aaaaaaaaaaaa-dirty, bbbbbbbbbbbb"
    assert commits([{"trained": "unknown"}], "trained") == "unknown"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (
            "python -m benchmarks.x --data /some/where/cifar100 --rounds 3",
            "python -m benchmarks.x --data cifar100 --rounds 3",
        ),
        ("x '/a folder/of mine' relative/path --at=3/4", "x 'of mine' relative/path --at=3/4"),
        ("x", "x"),
    ],
)
def test_a_command_names_no_place_of_one_machine(typed: str, kept: str) -> None:
    assert portable(typed) == kept


def test_no_committed_row_names_one() -> None:
    """Absolute paths, but for those of an address."""
    for file in RESULTS.glob("*.json"):
        assert not re.findall(r"(?<![\w:/.])/(?:work|tmp|home|root|mnt)/", file.read_text()), file.name
