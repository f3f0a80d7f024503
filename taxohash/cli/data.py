"""The bodies of `taxohash data prepare`, `check` and `join`: they print, the functions they call do not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from taxohash.datasets import Dataset, named
from taxohash.datasets.check import Check
from taxohash.datasets.check import check as check_dataset
from taxohash.datasets.contact_sheet import contact_sheets, place_for_sheets
from taxohash.datasets.join import join as join_datasets
from taxohash.runtime import terminal
from taxohash.runtime.terminal import printable

_MOST_LABELS = 24  # rows of the table; a larger tree is counted by its top-level classes
_MOST_FINDINGS = 50  # lines; a set may have a damaged picture in every row
_MOST_CLASSES = 100  # of which more are not listed


def prepare(name: str, out: str | Path, source: str | None, tree: dict[str, Any]) -> None:
    """Write a named data set and say what it is.

    Args:
        tree: the options of an image tree that were given.

    Raises:
        TaxohashError: see `named.prepare`.
    """
    dataset = named.prepare(name, out, source, tell=lambda line: print(printable(line)), **tree)
    sizes = ", ".join(f"{dataset.count(split):,} {split}" for split in dataset.splits)
    labels = f"{len(dataset.taxonomy):,} labels"
    print(printable(f"{out}: {dataset.taxonomy.name}, {labels}, {sizes}, md5 {dataset.md5()}"))


def check(folder: str | Path, sheets: str | Path | None = None, as_json: bool = False) -> bool:
    """Check a data set folder, print the table and the findings, or JSON; write contact sheets into `sheets`.

    Returns:
        whether no error was found.

    Raises:
        TaxohashError: the folder cannot be opened, or `sheets` cannot be written or lies in it.
    """
    if sheets is not None:
        place_for_sheets(Path(sheets), Dataset.open(folder).folder)
    result = check_dataset(folder)
    if as_json:
        files = _sheets(result, sheets)
        print(json.dumps(result.as_dict() | {"sheets": list(map(str, files))}))
        return result.ok
    terminal.console().print(_table(result))
    for finding in result.findings[:_MOST_FINDINGS]:
        print(f"{finding.severity}: {printable(finding.text)}")
    if (more := len(result.findings) - _MOST_FINDINGS) > 0:
        print(f"and {more:,} more: all with --json")
    if files := _sheets(result, sheets):
        print(printable(f"{len(files)} contact sheets in {sheets}"))
    errors = sum(finding.severity == "error" for finding in result.findings)
    verdict = f"{errors:,} errors" if errors else "sound"
    print(printable(f"{folder}: {verdict}, {len(result.findings) - errors} warnings, md5 {result.md5}"))
    return result.ok


def join(part: Path, data: Path, as_json: bool = False) -> None:
    """Join a folder's splits to a data set, and say what the set has then.

    Raises:
        TaxohashError: see `taxohash.datasets.join.join`.
    """
    joined = join_datasets(part, data)
    md5 = Dataset.open(data).md5()
    if as_json:
        print(json.dumps({"data": str(data), "images": joined, "md5": md5}))
        return
    for split, (before, after) in joined.items():
        print(printable(f"{split}: {before:,} images, then {after:,}"))
    print(printable(f"{data}: md5 {md5}"))


def _sheets(result: Check, sheets: str | Path | None) -> list[Path]:
    if sheets is None or not result.counts:
        return []
    return contact_sheets(result.dataset, sheets, split=next(iter(result.counts)))


def _table(result: Check) -> Table:
    dataset, taxonomy = result.dataset, result.dataset.taxonomy
    level = taxonomy.depth - 1 if len(taxonomy) <= _MOST_LABELS else 0
    shares = {
        split: np.bincount(taxonomy.ancestors[:, level], counts, taxonomy.class_count(level)).astype(int)
        for split, counts in result.counts.items()
    }
    rows = [
        (
            "/".join(dict.fromkeys(path)),
            *(f"{shares[split][index]:,}" if split in shares else "?" for split in result.images),
        )
        for index, path in enumerate(taxonomy.class_paths(level)[:_MOST_CLASSES])
    ]
    header = (taxonomy.levels[level], *result.images)
    table = terminal.table(header, rows, taxonomy.name, right=len(result.images))
    notes = []
    if taxonomy.class_count(level) > _MOST_CLASSES:
        notes.append(f"{_MOST_CLASSES} of {taxonomy.class_count(level):,} shown, all with --json")
    if "labels" in map(dataset.label_column, result.counts):
        notes.append("an image counts once for each of its labels")
    table.caption = "\n".join(notes) or None
    table.show_footer = True
    for column, text in zip(
        table.columns, ("images", *(f"{n:,}" for n in result.images.values())), strict=True
    ):
        column.footer = Text(text)
    return table
