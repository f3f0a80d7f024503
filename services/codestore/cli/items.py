"""`taxohash store items`: look at items, put and delete them."""

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from services.codestore import Item, LabelNumbers, WriteId
from services.codestore.cli.context import Collection, Json, Yes, help_alone, only_told, print_json
from services.codestore.own import code_store
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.configuration import Series, configuration, read
from taxohash.runtime.terminal import printable, shortened

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
_BATCH = 1_000


@app.callback(invoke_without_command=True)
def items(asked: typer.Context) -> None:
    """Look at items, put and delete them."""
    help_alone(asked)


@configuration
class Line:
    """An item in a file of JSON lines.

    Attributes:
        id: its name.
        labels: paths such as "tops/shirt".
        uri: where its picture is.
        tags: to filter by.
        metadata: named values of your own.
    """

    id: str
    labels: Series[str] = ()
    uri: str = ""
    tags: Series[str] = ()
    metadata: dict[str, Any] | None = None


@app.command("list")
def list_items(
    most: Annotated[int, typer.Option(help="how many; 0 for all")] = 20,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Items of the catalogue, in no order that means anything."""
    with code_store() as connected:
        labels = connected.labels(collection)
        found = connected.scan(collection)
        chosen = itertools.islice(found, most) if most else found
        if as_json:  # a line each, as it comes
            for item in chosen:
                print_json(_as_dict(item, labels))
        else:
            _print(list(chosen), labels)


@app.command("get")
def get(
    ids: Annotated[list[str], typer.Argument(help="ids of items")],
    generation: Annotated[str | None, typer.Option(help="as this generation has them")] = None,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Some items; exit code 1 where one is not there."""
    with code_store() as connected:
        labels = connected.labels(collection)
        found = connected.items(collection, ids, generation)
    there = [item for item in found if item is not None]
    if as_json:
        print_json([None if item is None else _as_dict(item, labels) for item in found])
    else:
        _print(there, labels)
    for item_id in (item_id for item_id, item in zip(ids, found, strict=True) if item is None):
        print(printable(f"item {item_id!r} is not there"), file=sys.stderr)
    if len(there) < len(found):
        raise typer.Exit(1)


@app.command("put")
def put(
    file: Annotated[
        Path, typer.Argument(help="JSON lines: id, labels (paths), uri, tags, metadata; - for standard input")
    ],
    write: Annotated[
        str | None,
        typer.Option(help="a name for this file: putting it again under that name changes nothing"),
    ] = None,
    collection: Collection = "default",
) -> None:
    """Add items, or replace those whose id is known. Their codes follow by a backfill."""
    with code_store() as connected:
        labels = connected.labels(collection)
        items = [_item(line, labels) for line in _lines(file)]
        added = 0
        for number, first in enumerate(range(0, len(items), _BATCH)):
            batch = items[first : first + _BATCH]
            name = None if write is None else WriteId(write, number)
            added += connected.upsert(collection, batch, write=name).count("added")
    print(f"{added:,} added, {len(items) - added:,} replaced")


@app.command("delete")
def delete(
    ids: Annotated[list[str], typer.Argument(help="ids of items")],
    yes: Yes = False,
    collection: Collection = "default",
) -> None:
    """Remove items. Of those that a data set has, later versions of it are left out too."""
    with code_store() as connected:
        if not yes:
            there = sum(item is not None for item in connected.items(collection, ids))
            only_told(f"delete {there:,} items")
            return
        written = connected.delete(collection, ids)
    print(f"{written.count('deleted'):,} deleted, {written.count('absent'):,} were not there")


def _lines(file: Path) -> Iterator[tuple[str, Line]]:
    try:
        source = sys.stdin if str(file) == "-" else file.open(encoding="utf-8")
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): give a file of JSON lines") from None
    with source:
        try:
            for number, text in enumerate(source, 1):
                if text.strip():
                    yield f"line {number} of {file}", _parsed(text, f"line {number} of {file}")
        except UnicodeDecodeError:
            raise TaxohashError(f"{file} is not UTF-8: write it in UTF-8") from None


def _parsed(text: str, where: str) -> Line:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise TaxohashError(f"{where} is not JSON: write an object a line") from None
    if not isinstance(data, dict):
        raise TaxohashError(f"{where} is no object: write an object a line")
    try:
        return read(Line, data)
    except TaxohashError as error:
        raise TaxohashError(f"{where}: {error}") from None


def _item(found: tuple[str, Line], labels: LabelNumbers) -> Item:
    where, line = found
    try:
        numbers = tuple(labels.number_of(tuple(path.split("/"))) for path in line.labels)
    except TaxohashError as error:
        raise TaxohashError(f"{where}: {error}") from None
    return Item(line.id, numbers, line.uri, metadata=line.metadata or {}, tags=line.tags)


def _paths(item: Item, labels: LabelNumbers) -> list[str]:
    return ["/".join(labels.path_of(number)) for number in item.labels]


def _as_dict(item: Item, labels: LabelNumbers) -> dict[str, Any]:
    return {
        "id": item.id,
        "labels": _paths(item, labels),
        "uri": item.uri,
        "picture": item.picture,
        "thumbnail": item.thumbnail,
        "pixels": item.pixels,
        "tags": item.tags,
        "metadata": dict(item.metadata),
        "origin": item.origin,
        "updated": item.updated,
    }


def _print(found: list[Item], labels: LabelNumbers) -> None:
    rows = [
        (
            shortened(item.id, 60),
            "\n".join(_paths(item, labels)),
            ", ".join(item.tags),
            item.origin,
            shortened(item.uri, 60),
        )
        for item in found
    ]
    terminal.console().print(terminal.table(("item", "labels", "tags", "origin", "uri"), rows))
