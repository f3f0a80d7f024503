"""An answer of the service as a table in the terminal."""

from typing import Any

from rich.console import Console
from rich.text import Text

from taxohash.runtime import terminal
from taxohash.runtime.terminal import printable


def print_table(answer: dict[str, Any], console: Console | None = None) -> None:
    """Print an answer as a table; levels at which an item agrees with most answers are bold."""
    bits, results = answer["bits"], answer["results"]
    most = [node["name"] for node in answer["majority"]]
    title = f"{len(results)} answers, generation {answer['generation']}, code {answer['code']}"
    rows = [
        (
            str(rank),
            result["id"],
            Text("\n").join(_marked(path, most) for path in result["label_paths"]),
            str(result["distance"]),
        )
        for rank, result in enumerate(results, 1)
    ]
    out = console or terminal.console()
    out.print(terminal.table(("", "item", "label", f"distance of {bits}"), rows, title, right=1))
    majority = " / ".join(f"{printable(node['name'])} ({node['items']})" for node in answer["majority"])
    otherwise = "no answer has a label" if results else "nothing found"
    out.print(Text(f"most agree on {majority}" if majority else otherwise))


def _marked(path: list[str], most: list[str]) -> Text:
    names = Text()
    for level, name in enumerate(path):
        agrees = path[: level + 1] == most[: level + 1]
        names.append(" / " if level else "").append(printable(name), "bold" if agrees else "dim")
    return names
