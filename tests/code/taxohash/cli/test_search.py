"""The table of an answer."""

from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from taxohash.cli.search import print_table
from tests.support.hostile_ids import HOSTILE_IDS

ANSWER: dict[str, Any] = {
    "generation": "0123456789abcdef",
    "bits": 8,
    "code": "ff",
    "majority": [{"name": "warm", "items": 1}],
    "results": [
        {
            "id": "[red]\x1b[2Jit",
            "label_path": ["warm", "[bold]"],
            "label_paths": [["warm", "[bold]"], ["cold"]],
            "distance": 3,
            "levels_agreed": 1,
        },
        {"id": "other", "label_path": [], "label_paths": [], "distance": 4, "levels_agreed": 0},
    ],
}


def test_the_table_shows_ids_as_they_are_and_nothing_of_the_terminals() -> None:
    out = StringIO()
    print_table(ANSWER, Console(file=out, width=80))
    text = out.getvalue()
    assert "[red]" in text
    assert "\x1b" not in text
    assert "warm / [bold]" in text
    assert "cold" in text
    assert "0123456789abcdef" in text
    assert "most agree on warm (1)" in text


def test_by_weights_the_table_has_a_column_more() -> None:
    out = StringIO()
    results = [result | {"weighted_distance": 0.1234567} for result in ANSWER["results"]]
    print_table(ANSWER | {"results": results, "ranking": "weighted"}, Console(file=out, width=80))
    assert "by weights" in out.getvalue()
    assert out.getvalue().count("0.123") == 2
    out = StringIO()
    print_table(ANSWER | {"ranking": "hamming"}, Console(file=out, width=80))
    assert "by weights" not in out.getvalue()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"predicted": [], "unlike": True}, "nothing like this is here"),
        ({"predicted": [], "unlike": False}, "not sure at any level"),
        (
            {"predicted": [{"name": "warm", "confidence": 0.934}, {"name": "[red]", "confidence": 0.5}]},
            "most likely warm (93%) / [red] (50%)",
        ),
    ],
)
def test_what_an_answer_is_worth_is_said_where_it_was_measured(more: dict[str, Any], said: str) -> None:
    for answer, is_said in ((ANSWER | more, True), (ANSWER, False)):
        out = StringIO()
        print_table(answer, Console(file=out, width=80))
        assert (said in out.getvalue()) is is_said


def test_an_item_of_the_very_picture_is_marked() -> None:
    out = StringIO()
    same, other = ANSWER["results"]
    print_table(ANSWER | {"results": [same | {"identical": True}, other]}, Console(file=out, width=80))
    assert out.getvalue().count("3 (identical)") == out.getvalue().count("identical") == 1


def test_no_id_breaks_the_table() -> None:
    out = StringIO()
    results = [ANSWER["results"][1] | {"id": item_id} for item_id in HOSTILE_IDS]
    print_table(ANSWER | {"results": results}, Console(file=out, width=80))
    assert out.getvalue().splitlines() == out.getvalue().split("\n")[:-1]
    rows = [line for line in out.getvalue().splitlines() if line.startswith("│")]
    assert {cell_len(row) for row in rows} == {80}
    assert sum(row.split("│")[1].strip().isdigit() for row in rows) == len(HOSTILE_IDS)


@pytest.mark.parametrize(("first", "said"), [(2, "nothing found"), (1, "no answer has a label")])
def test_an_answer_without_majority_is_said(first: int, said: str) -> None:
    out = StringIO()
    print_table(ANSWER | {"results": ANSWER["results"][first:], "majority": []}, Console(file=out, width=80))
    assert said in out.getvalue()
