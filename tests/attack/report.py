"""Rows of what was found, and the table that is made of them."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, matching, read_rows, write_rows
from benchmarks.common.tables import table
from taxohash.runtime.atomic import replacing
from tests.attack.scenarios import SCENARIOS

ROWS = RESULTS / "door.json"
COLUMNS = ("before", "after")
_ROOT = Path(__file__).resolve().parents[2]


def attacked_commit() -> str:
    """The last commit that changed what is attacked; `-dirty` where something of it is not committed."""
    code = ("services", "taxohash")

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments, "--", *code], cwd=_ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return git("log", "-1", "--format=%H") + ("-dirty" if git("status", "--porcelain") else "")


def keep(row: Row) -> None:
    """Put a row in the place of the one of the same scenario and column, and write rows and table anew."""
    rows = [
        old for old in read_rows(ROWS) if (old["scenario"], old["column"]) != (row["scenario"], row["column"])
    ]
    order = list(SCENARIOS)
    rows = sorted([*rows, row], key=lambda one: (order.index(one["scenario"]), COLUMNS.index(one["column"])))
    write_rows(ROWS, rows)
    with replacing(ROWS.with_suffix(".md")) as draft:
        draft.write_text("\n".join(as_markdown(rows)) + "\n", encoding="utf-8")


def as_markdown(rows: list[Row]) -> list[str]:
    """The table: what was looked at, what is asked, what was found before and after."""
    lines = ["# The service under attack, before and after", "", "`python -m tests.attack table`", ""]
    for column in COLUMNS:
        if of_column := matching(rows, column=column):
            lines += [_origin(column, of_column), ""]
    lines += [
        "Figures are of one run each, on a machine that was busy with other work as well, by an attacker on the same two",
        "cores: they show what breaks, not how fast a service can be. Outcomes are HTTP statuses; *closed*: without an",
        "answer; *refused*: no connection; *late*: no answer within the client's deadline. Memory is the sum of what is",
        "resident in each process, so what they share counts for each.",
        "",
    ]
    return lines + table(["attack", "asked", *COLUMNS], _cells(rows))


def _origin(column: str, rows: list[Row]) -> str:
    commits = ", ".join(sorted({row["commit"][:12] for row in rows}))
    loads = [row["load"] for row in rows]
    cores = ", ".join(sorted({str(row["cores"]) for row in rows}))
    return f"*{column}*: services of {commits}; {cores} cores, load before each {min(loads)} to {max(loads)}."


def _cells(rows: list[Row]) -> Iterable[list[str]]:
    for name, scenario in SCENARIOS.items():
        found: dict[tuple[str, str], dict[str, str]] = {}
        for row in matching(rows, scenario=name):
            for line in scenario.lines(row["figures"]):
                found.setdefault((line.what, line.asked), {})[row["column"]] = line.found
        for (what, asked), by_column in found.items():
            yield [what, asked, *(by_column.get(column, "") for column in COLUMNS)]
