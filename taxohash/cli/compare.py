"""The body of `taxohash compare`: what one generation would change in place of another."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from taxohash.client.uploads import SUFFIXES
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.layout import outside
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.release.comparison import Comparison, comparison, percent, points
from taxohash.release.comparison_page import write_comparison
from taxohash.release.query_sets import QuerySet, of_files, pictures_of, query_sets
from taxohash.release.shadow import Ranking, shadow
from taxohash.runtime import terminal
from taxohash.runtime.atomic import writable
from taxohash.runtime.terminal import printable

DEFAULT = "test"  # the split that asks, where the data set has it and no other is named


def compare(
    before: Path,
    after: Path,
    data: Path | None,
    splits: Sequence[str],
    pictures: Path | None,
    out: Path,
    ranking: Ranking,
    as_json: bool,
) -> None:
    """Ask two generations the same pictures, write the comparison into `out`, and print it.

    Raises:
        TaxohashError: a damaged generation, nothing to ask with, or what cannot be read or written.
    """
    if splits and data is None:
        raise TaxohashError(f"--queries {','.join(splits)} names splits of a data set: give --data too")
    own = [_of_folder(pictures)] if pictures is not None else []
    dataset = Dataset.open(data) if data is not None else None
    old, new = (Hasher(folder, threads=os.cpu_count() or 1) for folder in (before, after))
    ids = item_ids(dataset) if dataset is not None else {}
    chosen = splits or [split for split in (dataset.splits if dataset else ()) if split == DEFAULT]
    asking = [*query_sets(dataset, ids, chosen, new), *own]
    writable(outside(out, dataset.folder) if dataset is not None else out)
    found = shadow(old, new, asking, ranking)
    told = comparison(found)
    page = write_comparison(out, told, found, pictures_of(dataset, ids) if dataset is not None else None)
    if as_json:
        print(json.dumps(told.as_dict()))
        return
    _print(told)
    print(printable(page))


def _of_folder(folder: Path) -> QuerySet:
    """The pictures below a folder; files without a suffix too, as sampled queries are kept."""
    if not folder.is_dir():
        raise TaxohashError(f"{folder} is no folder: give one with pictures")
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in ("", *SUFFIXES)
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    if not files:
        raise TaxohashError(f"{folder} has no pictures ({', '.join(SUFFIXES)}): give a folder with some")
    return of_files("pictures", folder, files)


def _print(told: Comparison) -> None:
    """A line that says it, a table of what is behind it, and what has to be known."""
    print(printable(told.said))
    rows = []
    for own in told.sets:
        for name, share in own.overlap.items():
            rows.append((own.name, f"overlap at {name}", "", percent(share.value) if share else "-"))
        if own.kept:
            rows.append((own.name, "kept of 10, as served", "", percent(own.kept.value)))
        if own.correlation:
            rows.append((own.name, "order, tau-b", "", f"{own.correlation.median:.2f}"))
        for part in own.agreement:
            for what, mean in (("same first", part.first), ("same majority", part.majority)):
                rows.append((own.name, what, part.level, percent(mean.value) if mean else "-"))
        for level in own.precision:
            change = f"{percent(level.bound)}, then {percent(level.value)} ({points(level.low)} to {points(level.high)})"
            rows.append((own.name, "own among 10", level.metric, change))
    terminal.console().print(terminal.table(("queries", "", "level", "value"), rows, right=1))
    for note in told.notes:
        print(printable(note))
