"""What is printed for people: a text is shown as it is, and neither read as markup nor obeyed by the terminal."""

import io
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def console(**options: Any) -> Console:
    """A console, by default on standard output, to which brackets and colons in names mean nothing."""
    return Console(markup=False, emoji=False, highlight=False, force_jupyter=False, **options)


def printable(text: object) -> str:
    """The text on one line; what a terminal would obey, or could not write, is an escape such as \\n."""
    return "".join(ascii(letter)[1:-1] if _obeyed(letter) else letter for letter in str(text))


def _obeyed(letter: str) -> bool:
    # Control characters, halves of surrogates, ends of lines and paragraphs, and what turns the direction of the rest.
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in TURNS


def shortened(line: str, most: int) -> str:
    """A line of at most so many characters: of a longer one the middle is left out."""
    head = most // 2
    return line if len(line) <= most else f"{line[:head]}…{line[len(line) - (most - head - 1) :]}"


def some(texts: Iterable[object], most: int = 3) -> str:
    """The first of the texts, and dots if there are more."""
    told = [str(text) for text in texts]
    return ", ".join(told[:most]) + (", ..." if len(told) > most else "")


def table(
    header: Sequence[str], rows: Iterable[Sequence[str | Text]], title: str = "", right: int = 0
) -> Table:
    """A table of texts.

    Args:
        right: this many of the last columns hold numbers, which stand at their right.
    """
    made = Table(title=Text(printable(title)) if title else None, title_justify="left", title_style="")
    for column, name in enumerate(header):
        numbers = column >= len(header) - right
        made.add_column(Text(printable(name)), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return made


def replace_unprintable() -> None:
    """Let standard output and error take what their encoding cannot hold, such as names of files in another one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
