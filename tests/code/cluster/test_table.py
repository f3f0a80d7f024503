"""The table of docs/operations.md, of what scenes found."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import table
from tests.cluster.answers import Searches
from tests.cluster.record import Told


def record_of(told: Told) -> dict[str, Any]:
    return {
        "date": "2026-01-01",
        "revision": {"commit": "0123456789abcdef0123-dirty"},
        "kubernetes": "v1.20.2",
        "cores": 2,
        "scenes": {"kill": asdict(told)},
    }


def test_a_row_says_what_failed_and_what_is_lost() -> None:
    searches = Searches(
        sent=1200, failed={"closed": 2, "503": 1}, again=1, wrong=0, generations=["a"], slowest=1.0
    )
    told = Told(what="killed", searches=searches, written=40, lost=0, seconds={"ready": 3.4}, notes=["x"])
    row = table.markdown(record_of(told)).splitlines()[-1]
    assert (
        row
        == "| killed | 1,200 | 2 × closed, 1 × 503 (1 with `Retry-After`) | none |  | none of 40 items | ready: 3 s; x |"
    )


def test_it_says_whose_code_it_was_and_whether_it_was_quite_that() -> None:
    assert table.markdown(record_of(Told(what="x"))).startswith("Commit 0123456789ab-dirty, 2026-01-01,")


def test_a_row_says_for_how_long_answers_were_stale() -> None:
    searches = Searches(sent=30, failed={}, again=0, wrong=1, generations=["a", "b"], slowest=1.0)
    row = table.markdown(record_of(Told(what="published", searches=searches, stale=1.25))).splitlines()[-1]
    assert row == "| published | 30 | none | 1 | 1.2 s |  |  |"


@pytest.mark.parametrize(
    ("told", "bad"),
    [
        (Told(what="x", written=2, lost=0), 0),
        (Told(what="x", written=2, lost=1), 1),
        (Told(what="x", searches=Searches(1, {}, 0, 1, ["a"], 1.0)), 1),
        (Told(what="x", searches=Searches(1, {"503": 1}, 0, 0, ["a"], 1.0)), 0),
    ],
)
def test_what_is_lost_or_wrong_is_bad(told: Told, bad: int) -> None:
    assert len(told.bad()) == bad


def test_it_is_put_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- cluster:begin -->\nold\n<!-- cluster:end -->\nafter\n")
    assert table.put("new\n", page)
    assert page.read_text() == "before\n<!-- cluster:begin -->\nnew\n<!-- cluster:end -->\nafter\n"


def test_a_page_without_marks_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n")
    assert not table.put("new\n", page)
    assert page.read_text() == "before\n"
