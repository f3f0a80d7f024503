"""Contact sheets: the first images of every label of a top-level class, one line a label, to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.runtime.atomic import replacing

CELL = 64  # pixels, height and width of a picture
COLUMNS = 12
MOST_LINES = 40  # of labels on one sheet; more are thinned out evenly
_MARGIN = 8
_MOST_TEXT = 40  # letters of a caption's line
_BACKGROUND, _INK, _EMPTY = "white", "#222222", "#eeeeee"


def contact_sheets(dataset: Dataset, out: str | Path, split: str | None = None) -> list[Path]:
    """Write one PNG for each top-level class into `out` and return their paths.

    Args:
        split: whose images are shown; the first split when not given.

    Raises:
        TaxohashError: no such split, or `out` cannot be written.
    """
    shown = split or dataset.splits[0]
    rows_of: dict[int, list[int]] = {label: [] for label in range(len(dataset.taxonomy))}
    for row, labels in enumerate(dataset.label_sets(shown)):
        for label in labels.tolist():
            rows_of[label].append(row)
    files: list[Path] = []
    classes = zip(dataset.taxonomy.class_paths(0), dataset.taxonomy.members(0), strict=True)
    for (name,), labels in classes:
        title = name
        if len(labels) > MOST_LINES:
            title = f"{name}: {MOST_LINES} of {len(labels)} labels shown"
            labels = labels[np.linspace(0, len(labels) - 1, MOST_LINES).astype(int)]
        lines = []
        for label in labels.tolist():
            images = [picture_or_none(data) for data in dataset.images(shown, rows_of[label][:COLUMNS])]
            path = "/".join(dict.fromkeys(dataset.taxonomy.paths[label][1:])) or name
            path = path if len(path) <= _MOST_TEXT else "..." + path[3 - _MOST_TEXT :]
            count = len(rows_of[label])
            part = f"{COLUMNS} of {count}" if count > COLUMNS else f"{count}"
            lines.append((f"{path}\n{part} in {shown}", images))
        file = Path(out) / f"{_file_name(name)}.png"
        if file in files:  # of a name that differs in what a file's name leaves out
            file = file.with_stem(f"{file.stem}-{len(files)}")
        files.append(save_sheet(draw_sheet(title, lines), file))
    return files


def draw_sheet(title: str, lines: Sequence[tuple[str, Sequence[Image.Image | None]]]) -> Image.Image:
    """A sheet with a title and lines of a caption and decoded pictures; None stands for one that cannot be decoded."""
    columns = max([len(images) for _, images in lines] + [1])
    pitch = CELL + _MARGIN
    font = ImageFont.load_default(13)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    widths = [measure.multiline_textbbox((0, 0), caption, font)[2] for caption, _ in lines]
    left, top = int(max([*widths, 0])) + 3 * _MARGIN, 44
    sheet = Image.new("RGB", (left + columns * pitch, top + len(lines) * pitch), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 10), title, _INK, ImageFont.load_default(20))
    for line, (caption, images) in enumerate(lines):
        y = top + line * pitch
        draw.multiline_text((_MARGIN, y + CELL // 2), caption, _INK, font, anchor="lm")
        for column, image in enumerate(images):
            x = left + column * pitch
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), _EMPTY)
            if image is not None:
                small = _fitted(image)
                sheet.paste(small, (x + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
    return sheet


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


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name[:_MOST_TEXT])


def save_sheet(sheet: Image.Image, file: Path) -> Path:
    """Write a sheet as PNG and return its path.

    Raises:
        TaxohashError: it cannot be written.
    """
    with replacing(file) as draft:
        sheet.save(draft, "PNG")
    return file
