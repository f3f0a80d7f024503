"""The table of an answer."""

from io import StringIO

from rich.console import Console

from taxohash.cli.search import print_table

ANSWER = {
    "generation": "0123456789abcdef",
    "bits": 8,
    "code": "ff",
    "majority": [{"name": "warm", "items": 1}],
    "results": [
        {"id": "[red]\x1b[2Jit", "label_path": ["warm", "[bold]"], "distance": 3, "levels_agreed": 1}
    ],
}


def test_the_table_shows_ids_as_they_are_and_nothing_of_the_terminals() -> None:
    out = StringIO()
    print_table(ANSWER, Console(file=out, width=80))
    text = out.getvalue()
    assert "[red]" in text
    assert "\x1b" not in text
    assert "warm / [bold]" in text
    assert "0123456789abcdef" in text
    assert "most agree on warm (1)" in text


def test_an_empty_answer_is_said() -> None:
    out = StringIO()
    print_table(ANSWER | {"results": [], "majority": []}, Console(file=out, width=80))
    assert "nothing found" in out.getvalue()
