"""Contact sheets to look at: the first images of every label, a line each; a sheet is a top-level class."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from taxohash.datasets.dataset import Dataset
from taxohash.datasets.layout import outside
from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.runtime.atomic import replacing, writable
from taxohash.runtime.terminal import printable
from taxohash.taxonomy import Taxonomy

CELL = 64  # pixels, height and width of a picture
COLUMNS = 12
MOST_LINES = 40  # of labels on one sheet; more are thinned out evenly
_MARGIN = 8
_MOST_TEXT = 40  # letters of a caption's line
# The texts of a caption, and decoded pictures; None stands for one that cannot be decoded.
Line = tuple[Sequence[str], Sequence[Image.Image | None]]
_BACKGROUND, _INK, _EMPTY = "white", "#222222", "#eeeeee"


class _Group(NamedTuple):
    """One sheet: of what, which part of it, and labels of whose paths it has said so many names."""

    name: str
    part: str
    labels: Sequence[int]
    said: int


def contact_sheets(dataset: Dataset, out: str | Path, split: str | None = None) -> list[Path]:
    """Write a PNG for each top-level class into `out`, those of a single label together, and return their paths.

    Args:
        split: whose images are shown; the first split when not given.

    Raises:
        TaxohashError: no such split, or `out` cannot be written.
    """
    shown = split or dataset.splits[0]
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row, labels in enumerate(dataset.label_sets(shown)):
        for label in labels.tolist():
            rows_of[label].append(row)
    files: dict[str, Path] = {}
    for name, part, members, said in _groups(dataset.taxonomy):
        rows = [row for label in members for row in rows_of[label][:COLUMNS]]
        images = map(picture_or_none, dataset.images(shown, rows))
        lines = []
        for label in members:
            path, images_of_it = dataset.taxonomy.paths[label], len(rows_of[label])
            told = f"{COLUMNS} of {images_of_it:,}" if images_of_it > COLUMNS else f"{images_of_it}"
            caption = ("/".join(dict.fromkeys(path[said:])) or path[-1], f"{told} in {shown}")
            lines.append((caption, list(islice(images, min(images_of_it, COLUMNS)))))
        file = next(file for file in _file_names(name) if file.casefold() not in files)
        files[file.casefold()] = save_sheet(draw_sheet(name + part, lines), Path(out) / file)
    return list(files.values())


def _groups(taxonomy: Taxonomy) -> Iterator[_Group]:
    alone: list[int] = []
    for (name,), labels in zip(taxonomy.class_paths(0), taxonomy.members(0), strict=True):
        if len(labels) == 1:
            alone += labels.tolist()
        elif len(labels) <= MOST_LINES:
            yield _Group(name, "", labels.tolist(), 1)
        else:
            thinned = labels[np.linspace(0, len(labels) - 1, MOST_LINES).astype(int)]
            yield _Group(name, f": {MOST_LINES} of {len(labels)} labels shown", thinned.tolist(), 1)
    if len(alone) == 1:
        yield _Group(taxonomy.paths[alone[0]][0], "", alone, 1)
        return
    for first in range(0, len(alone), MOST_LINES):
        part = alone[first : first + MOST_LINES]
        span = f": labels {first + 1} to {first + len(part)} of {len(alone)}"
        yield _Group(taxonomy.name, span if len(part) < len(alone) else "", part, 0)


def draw_sheet(title: str, lines: Sequence[Line]) -> Image.Image:
    """A sheet with a title and lines of pictures."""
    columns = max([len(images) for _, images in lines] + [1])
    pitch = CELL + _MARGIN
    font = ImageFont.load_default(13)
    heading, title_font = _short(title, 2 * _MOST_TEXT), ImageFont.load_default(20)
    captions = ["\n".join(_short(text, _MOST_TEXT) for text in caption) for caption, _ in lines]
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    widths = [measure.multiline_textbbox((0, 0), caption, font)[2] for caption in captions]
    left, top = int(max([*widths, 0])) + 3 * _MARGIN, 44
    wide = max(left + columns * pitch, int(measure.textlength(heading, title_font)) + 2 * _MARGIN)
    sheet = Image.new("RGB", (wide, top + len(lines) * pitch), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 10), heading, _INK, title_font)
    for line, (caption, (_, images)) in enumerate(zip(captions, lines, strict=True)):
        y = top + line * pitch
        draw.multiline_text((_MARGIN, y + CELL // 2), caption, _INK, font, anchor="lm")
        for column, image in enumerate(images):
            x = left + column * pitch
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), _EMPTY)
            if image is not None:
                small = _fitted(image)
                sheet.paste(small, (x + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
    return sheet


def _short(text: str, most: int) -> str:
    """A text on one line; of a long one its end, which tells more of a path."""
    line = printable(text)
    return line if len(line) <= most else "..." + line[3 - most :]


def _fitted(image: Image.Image) -> Image.Image:
    """The image scaled into a cell; small ones by a whole factor, so that their pixels stay square."""
    scale = CELL / max(image.size)
    if scale >= 1:
        return image.resize((image.width * int(scale), image.height * int(scale)), Image.Resampling.NEAREST)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def picture_or_none(data: bytes) -> Image.Image | None:
    """The decoded picture, or None if it cannot be decoded."""
    try:
        return decode(data)
    except TaxohashError:
        return None


def _file_names(name: str) -> Iterator[str]:
    """What a sheet's file may be called: names may differ in what a file's name leaves out."""
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name[:_MOST_TEXT])
    return chain([f"{stem}.png"], (f"{stem}-{number}.png" for number in count(2)))


def place_for_sheets(out: Path, *datasets: Path) -> None:
    """Make the folder of sheets, before the work that they tell of.

    Raises:
        TaxohashError: it cannot be written, or lies inside one of the data sets.
    """
    writable(outside(out, *datasets))


def save_sheet(sheet: Image.Image, file: Path) -> Path:
    """Write a sheet as PNG and return its path.

    Raises:
        TaxohashError: it cannot be written.
    """
    with replacing(file) as draft:
        sheet.save(draft, "PNG")
    return file
