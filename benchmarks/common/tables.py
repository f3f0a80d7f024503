"""Tables in Markdown: cells of several seeds, a column for each code length."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.rows import Row, matching, percents
from taxohash.runtime.atomic import replacing

BY_WEIGHTS = "*by weights*"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_line(head), "|---" * len(head) + "|", *(_line(cells) for cells in lines)]


def by_bits(lengths: Iterable[int], lines: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table with a column for each code length, after one for the method."""
    return table(["method", *(f"{bits} bits" for bits in lengths)], lines)


def spreads(lengths: Iterable[int], metric: str, rows: Sequence[Row], ranking: str = "metrics") -> list[str]:
    """The cells of a method's line, one for each code length."""
    return [spread(percents(matching(rows, bits=bits), metric, ranking)) for bits in lengths]


def by_method(
    lengths: Sequence[int], methods: Iterable[str], rows: Sequence[Row], metric: str
) -> list[list[str]]:
    """The lines of methods, by both rankings, with a cell for each code length."""
    return [
        line
        for method in methods
        for line in by_ranking(method, matching(rows, method=method), partial(spreads, lengths, metric))
    ]


def by_ranking(
    name: str, rows: Sequence[Row], cells: Callable[[Sequence[Row], str], list[str]]
) -> list[list[str]]:
    """The line of a method by Hamming distance, and below it that by weights, where its rows have such.

    Args:
        cells: those of some rows, of their `metrics` or of what is `weighted`.
    """
    lines = [[name, *cells(rows, "metrics")]]
    if any(row.get("weighted") for row in rows):
        lines.append([BY_WEIGHTS, *cells(rows, "weighted")])
    return lines


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean ± standard deviation of one value a seed; the value alone of one seed, nothing of none."""
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def options_cell(options: dict[str, Any]) -> str:
    """Options of an objective."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in options.items()) or "as published"


def publish(file: Path, lines: Iterable[str]) -> None:
    """Write a Markdown file whole or not at all, and print it."""
    text = "\n".join(lines) + "\n"
    with replacing(file) as draft:
        draft.write_text(text, encoding="utf-8")
    print(text)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(value: Any) -> str:
    return "/".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)
