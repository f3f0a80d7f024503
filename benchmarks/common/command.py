"""The command line of a benchmark; its lists are comma-separated."""

import inspect
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import typer

from taxohash.errors import TaxohashError

# Options that several benchmarks have.
Cache = Annotated[Path, typer.Option(help="folder of the frozen features")]
Workers = Annotated[int, typer.Option("--workers", help="processes, one thread each")]
CPUS = os.cpu_count() or 1


def start(main: Callable[..., None]) -> None:
    """Run `main` with the arguments of the command line; its options are its parameters, its help its module's text.

    What the user can put right is one line on standard error and exit code 2.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=inspect.getdoc(sys.modules[main.__module__]))(main)
    try:
        app()
    except TaxohashError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(2)


def numbers(text: str) -> list[int]:
    """A list of whole numbers.

    Raises:
        TaxohashError: something else.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise TaxohashError(f"{text!r} is no list of whole numbers: write one such as 16,32") from None


def choices(text: str, known: Collection[str]) -> list[str]:
    """A list of known names; all of them where none is given.

    Raises:
        TaxohashError: an unknown one.
    """
    chosen = text.split(",") if text else list(known)
    if unknown := [name for name in chosen if name not in known]:
        raise TaxohashError(f"{unknown[0]!r} is not known here: choose of {', '.join(known)}")
    return chosen
