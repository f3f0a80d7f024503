"""The body of `taxohash data diff`: it prints, the functions it calls do not."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from taxohash.datasets.contact_sheet import place_for_sheets
from taxohash.datasets.cost import Cost
from taxohash.datasets.diff import CHANGES, Change, Diff, Pair, diff
from taxohash.datasets.diff_sheets import diff_sheets
from taxohash.datasets.revision import opened
from taxohash.runtime.terminal import printable

_SHOWN = 6  # labels, or pairs of them, that a line names
_WORDS: dict[Change, str] = {
    "relabelled": "relabelled",
    "resplit": "in another split",
    "renamed": "renamed",
    "reencoded": "other bytes of the same pixels",
    "replaced": "other pixels under the same path",
}


def print_diff(before: str, after: str, sheets: Path | None = None, as_json: bool = False) -> None:
    """Print what changed between two data sets, as lines or as JSON; write contact sheets of it into `sheets`.

    Raises:
        TaxohashError: a set cannot be had or read, or `sheets` cannot be written or lies in one.
    """
    with opened(before) as old, opened(after) as new:
        if sheets is not None:
            place_for_sheets(sheets, old.folder, new.folder)
        found = diff(old, new)
        files = diff_sheets(found, sheets) if sheets is not None else []
        if as_json:
            print(json.dumps(found.as_dict() | {"sheets": list(map(str, files))}))
            return
        for line in _lines(found, before, after):
            print(printable(line))
        if sheets is not None:
            print(f"{len(files)} contact sheets in {sheets}")


def _lines(found: Diff, before: str, after: str) -> Iterator[str]:
    sides = ("before", before, found.before), ("after", after, found.after)
    for (side, source, dataset), md5 in zip(sides, found.md5s, strict=True):
        yield f"{side}: {source}, {dataset.taxonomy.name}, md5 {md5}"
    yield _costing(found.cost)
    for split, (old, new) in found.images.items():
        yield f"{split}: {old:,} images" + (f", then {new:,}" if old != new else "")
    yield from _tree_lines(found)
    for what, pictures in (("added", found.added), ("removed", found.removed)):
        if pictures:
            yield f"{what}: {len(pictures):,} images: {_counted(picture.caption for picture in pictures)}"
    for change in CHANGES:
        if pairs := found.having(change):
            named = (
                map(_relabelling, pairs) if change == "relabelled" else (pair.after.caption for pair in pairs)
            )
            yield f"{_WORDS[change]}: {len(pairs):,} images: {_counted(named)}"
    if not (found.taxonomy or found.added or found.removed or found.changed):
        yield "the same images and labels"


def _costing(cost: Cost) -> str:
    if not cost.new_files:
        return "cost: nothing to store or to move, every file was there before"
    return (
        f"cost: {cost.new_bytes:,} of {cost.bytes:,} bytes to store and to move, {cost.new_files:,} of {cost.files:,} files "
        "that were not there before"
    )


def _relabelling(pair: Pair) -> str:
    return f"{pair.before.caption} -> {pair.after.caption}"


def _tree_lines(found: Diff) -> Iterator[str]:
    tree = found.taxonomy
    for what, paths in (("added", tree.added), ("removed", tree.removed)):
        if paths:
            yield f"labels {what}: {len(paths):,}: {_some(paths)}"
    if tree.moved:
        yield f"labels moved: {len(tree.moved):,}: {_some(f'{one} -> {other}' for one, other in tree.moved)}"
    if tree.reordered:
        yield "labels in another order: their numbers changed"
    if tree.levels:
        yield f"levels: {', '.join(tree.levels[0])}, then {', '.join(tree.levels[1])}"


def _counted(names: Iterable[str]) -> str:
    return _some(f"{name} {count:,}" for name, count in Counter(names).most_common())


def _some(texts: Iterable[str]) -> str:
    all_of_them = list(texts)
    more = f", {len(all_of_them) - _SHOWN:,} more" if len(all_of_them) > _SHOWN else ""
    return ", ".join(all_of_them[:_SHOWN]) + more
