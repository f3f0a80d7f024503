"""Contact sheets of what changed between two data sets: one for each kind of change, a line for each label."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from taxohash.datasets.contact_sheet import COLUMNS, MOST_LINES, Line, draw_sheet, picture_or_none, save_sheet
from taxohash.datasets.dataset import Dataset
from taxohash.datasets.diff import Diff, Picture

Caption = tuple[str, ...]
Lines = dict[Caption, list[tuple[Dataset, Picture]]]


def diff_sheets(found: Diff, out: str | Path) -> list[Path]:
    """Write added.png, removed.png, relabelled.png and replaced.png into `out`, those that show something.

    Labels with most pictures come first; a sheet and a line say how many of all they show.

    Raises:
        TaxohashError: `out` cannot be written.
    """
    sheets: dict[str, Lines] = {
        "added": _grouped(((picture.caption,), found.after, picture) for picture in found.added),
        "removed": _grouped(((picture.caption,), found.before, picture) for picture in found.removed),
        "relabelled": _grouped(
            ((f"{pair.before.caption} ->", pair.after.caption), found.after, pair.after)
            for pair in found.having("relabelled")
        ),
        "replaced": _grouped(_replaced(found)),
    }
    files = []
    for change, lines in sheets.items():
        if lines:
            most = sorted(lines, key=lambda caption: -len(lines[caption]))[:MOST_LINES]
            cut = f": {MOST_LINES} of {len(lines)} lines shown" if len(lines) > MOST_LINES else ""
            drawn = [_line(caption, lines[caption]) for caption in most]
            files.append(save_sheet(draw_sheet(change + cut, drawn), Path(out) / f"{change}.png"))
    return files


def _replaced(found: Diff) -> Iterator[tuple[Caption, Dataset, Picture]]:
    for pair in found.having("replaced"):
        yield (pair.after.caption, "before"), found.before, pair.before
        yield (pair.after.caption, "after"), found.after, pair.after


def _grouped(pictures: Iterable[tuple[Caption, Dataset, Picture]]) -> Lines:
    lines: Lines = defaultdict(list)
    for caption, dataset, picture in pictures:
        lines[caption].append((dataset, picture))
    return lines


def _line(caption: Caption, pictures: Sequence[tuple[Dataset, Picture]]) -> Line:
    count = f"{COLUMNS} of {len(pictures):,}" if len(pictures) > COLUMNS else f"{len(pictures)}"
    images = [
        picture_or_none(next(dataset.images(picture.split, [picture.row])))
        for dataset, picture in pictures[:COLUMNS]
    ]
    return (*caption, count), images
