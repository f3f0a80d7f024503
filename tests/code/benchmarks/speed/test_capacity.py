"""The table of docs/operations.md is that of the committed results."""

import json
from pathlib import Path

from benchmarks.common.places import RESULTS
from benchmarks.speed.capacity import PAGE, lines, page


def test_the_page_holds_the_table_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, lines()) == text, "renew it: python -m benchmarks.speed.capacity"


def test_requests_a_core_are_those_of_the_cpu_that_they_took(tmp_path: Path) -> None:
    for name in ("codestore", "cold-start", "serving"):
        rows = json.loads((RESULTS / f"{name}.json").read_text())
        for row in rows:
            if "ours" in row:
                row["ours"]["cpu_us"] = [1000, 4000]  # least and median
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    told = [line for line in lines(tmp_path) if " a core, " in line]
    assert len(told) == 4
    assert all("| 250 a second |" in line for line in told)
