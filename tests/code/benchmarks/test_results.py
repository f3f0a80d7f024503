"""What is committed below benchmarks/results: every table is made of the rows beside it, and a row is a line."""

import json
from collections.abc import Callable

import pytest

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, matching, read_rows
from benchmarks.methods import (
    alerts,
    barz,
    drift,
    fashion_mnist,
    finetuned,
    heldout,
    posterior_ranking,
    unlike,
    unseen_classes,
)
from benchmarks.methods import report as methods
from benchmarks.search import report as search
from benchmarks.speed import decoding
from benchmarks.speed.codestore import report as codestore
from benchmarks.speed.cold_start import report as cold_start
from benchmarks.speed.serving import report as serving
from tests.attack import report as door


def searched(rows: list[Row]) -> list[str]:
    return search.markdown(rows[0], rows[1:])


def ranked(rows: list[Row]) -> list[str]:
    codes = matching(read_rows(RESULTS / "methods.json"), stage="table", data="grocery", shuffled=False)
    return posterior_ranking.as_markdown(rows, codes)


def held_out(rows: list[Row]) -> list[str]:
    return heldout.as_markdown(rows, read_rows(RESULTS / "methods.json"))


PAGES: dict[str, Callable[[list[Row]], list[str]]] = {
    "alerts": alerts.as_markdown,
    "barz": barz.as_markdown,
    "codestore": codestore.as_markdown,
    "cold-start": cold_start.as_markdown,
    "decoding": decoding.as_markdown,
    "door": door.as_markdown,
    "drift": drift.as_markdown,
    "fashion-mnist": fashion_mnist.as_markdown,
    "finetuned": finetuned.as_markdown,
    "heldout": held_out,
    "methods": methods.as_markdown,
    "posterior-ranking": ranked,
    "search": searched,
    "serving": serving.as_markdown,
    "unlike": unlike.as_markdown,
    "unseen-classes": unseen_classes.as_markdown,
}


def test_every_page_is_looked_at() -> None:
    assert {file.stem for kind in ("json", "md") for file in RESULTS.glob(f"*.{kind}")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_rows_say(name: str) -> None:
    lines = PAGES[name](read_rows(RESULTS / f"{name}.json"))
    assert "\n".join(lines) + "\n" == (RESULTS / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_row_is_a_line(name: str) -> None:
    first, *rows, last = (RESULTS / f"{name}.json").read_text(encoding="utf-8").splitlines()
    assert (first, last) == ("[", "]")
    assert all(isinstance(json.loads(row.rstrip(",")), dict) for row in rows)
