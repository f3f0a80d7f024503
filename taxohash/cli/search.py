"""An answer of the service as a table in the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(answer: dict[str, Any], console: Console | None = None) -> None:
    """Print an answer as a table; levels at which an item agrees with most answers are bold."""
    bits, results = answer["bits"], answer["results"]
    most = [node["name"] for node in answer["majority"]]
    title = f"{len(results)} answers, generation {answer['generation']}, code {answer['code']}"
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("", justify="right")
    table.add_column("item", overflow="fold")
    table.add_column("label", overflow="fold")
    table.add_column(f"distance of {bits}", justify="right")
    for rank, result in enumerate(results, 1):
        labels = Text("\n").join(_marked(path, most) for path in result["label_paths"])
        table.add_row(str(rank), Text(_printable(result["id"])), labels, str(result["distance"]))
    out = console or Console()
    out.print(table)
    majority = " / ".join(f"{_printable(node['name'])} ({node['items']})" for node in answer["majority"])
    otherwise = "no answer has a label" if results else "nothing found"
    out.print(Text(f"most agree on {majority}" if majority else otherwise))


def _marked(path: list[str], most: list[str]) -> Text:
    names = Text()
    for level, name in enumerate(path):
        agrees = path[: level + 1] == most[: level + 1]
        names.append(" / " if level else "").append(name, "bold" if agrees else "dim")
    return names


def _printable(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
