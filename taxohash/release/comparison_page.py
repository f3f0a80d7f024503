"""comparison.json for programs, and comparison.html for who approves a generation."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.images.thumbnails import drawn
from taxohash.release.compare import Path as LabelPath
from taxohash.release.compare import nodes
from taxohash.release.comparison import Comparison, Distances, Measured, Picked, percent, points
from taxohash.release.query_sets import PicturesOf
from taxohash.release.shadow import DEEP, SHOWN, Asked, Shadow, Side
from taxohash.runtime.atomic import write_json, write_text
from taxohash.runtime.pages import rendered

JSON, PAGE = "comparison.json", "comparison.html"
RANKINGS = {"weighted": "weights, as the service ranks pictures", "hamming": "plain Hamming distance"}
WIDTH, HEIGHT = 300, 150  # of a plot
Counted = tuple[Sequence[int], int]  # queries at each Hamming distance, from 0 on, and the bits of a code


def write_comparison(
    out: str | Path, compared: Comparison, found: Shadow, pictures_of: PicturesOf | None = None
) -> Path:
    """Write comparison.json and a self-contained comparison.html into a folder; the latter's path.

    Args:
        pictures_of: items; without it, and where it does not know one, its name stands in the place of its picture.

    Raises:
        TaxohashError: the folder cannot be written.
    """
    folder = Path(out)
    page = rendered(
        "taxohash.release",
        "comparison.html.j2",
        compared=compared,
        ranking=RANKINGS[compared.ranking],
        sets=[
            {
                "measured": measured,
                "plots": [
                    plot(title, own(measured.before), own(measured.after))
                    for title, own in (("nearest item", _nearest), (f"{SHOWN}th item", _tenth))
                ],
                "rows": _rows(found, asked, measured, pictures_of),
            }
            for measured, asked in zip(compared.sets, found.asked, strict=True)
        ],
        key=list(zip(colours(len(compared.levels)), ["nothing", *compared.levels], strict=True)),
        shown=SHOWN,
        deep=DEEP,
        percent=percent,
        points=points,
    )
    write_text(folder / PAGE, page)
    write_json(folder / JSON, compared.as_dict())
    return folder / PAGE


def colours(levels: int) -> list[str]:
    """Colours of agreement on 0 ... levels levels: vermilion for none, then pale to deep blue, safe for colour blindness."""
    pale, deep = np.array([147, 190, 225]), np.array([31, 87, 157])
    ramp = [pale + (deep - pale) * share for share in np.linspace(0, 1, levels)] if levels > 1 else [deep]
    return ["#d55e00", *("#" + "".join(f"{round(part):02x}" for part in own.tolist()) for own in ramp)]


# -- distances ---------------------------------------------------------------------------------------------


def _nearest(distances: Distances) -> Counted:
    return distances.nearest, distances.bits


def _tenth(distances: Distances) -> Counted:
    return distances.tenth, distances.bits


def plot(title: str, before: Counted, after: Counted) -> dict[str, Any]:
    """The shares of queries whose item of a place is as near as that, as lines of a picture WIDTH times HEIGHT."""
    both = (before, after)
    farthest = max(_farthest(counts) / bits for counts, bits in both)
    end = max(math.ceil(20 * farthest), 1) / 20  # to the next five per cent
    return {
        "title": title,
        "end": f"{100 * end:g} %",
        "middle": f"{50 * end:g} %",
        "lines": [_steps(counts, bits, end) for counts, bits in both],
        "medians": [_median(counts, bits) for counts, bits in both],
    }


def _farthest(counts: Sequence[int]) -> int:
    return int(np.flatnonzero(counts).max(initial=0))


def _median(counts: Sequence[int], bits: int) -> str:
    total = np.cumsum(counts)
    if not total[-1]:
        return "none"
    return percent(int(np.searchsorted(total, total[-1] / 2)) / bits)


def _steps(counts: Sequence[int], bits: int, end: float) -> str:
    """A path of SVG: the cumulated share over the distance as a share of the bits, from 0 to `end`."""
    total = sum(counts)
    if not total:
        return ""
    shares = np.cumsum(counts) / total
    places = [
        (round(WIDTH * distance / bits / end, 1), round(HEIGHT * (1 - shares[distance]), 1))
        for distance in np.flatnonzero(counts).tolist()
    ]
    return f"M0 {HEIGHT}" + "".join(f"H{x:g}V{y:g}" for x, y in places) + f"H{WIDTH}"


# -- where they differ most ----------------------------------------------------------------------------------


def _rows(
    found: Shadow, asked: Asked, measured: Measured, pictures_of: PicturesOf | None
) -> list[dict[str, Any]]:
    """The queries that are shown, each with its answers before and after."""
    picked = measured.picked
    wanted = np.array([own.row for own in picked], np.int64)
    may_show = picked and asked.queries.are_shown
    queries = asked.queries.pictures(wanted) if may_show else [None] * len(picked)
    ids = sorted({item for own in picked for item in (*own.before, *own.after)})
    known = _thumbnails(ids, pictures_of, found)
    return [
        {
            "name": own.name,
            "image": _image(data, _reader(found.after)) if data is not None else None,
            "instead": own.name if asked.queries.are_shown else "not kept here",
            "kept": own.kept,
            "labels": _title(_labels(asked, own)) if asked.queries.labels is not None else "",
            "answers": [
                ("before", _answers(found, asked, own, found.before, known)),
                ("after", _answers(found, asked, own, found.after, known)),
            ],
        }
        for own, data in zip(picked, queries, strict=True)
    ]


def _answers(
    found: Shadow, asked: Asked, picked: Picked, side: Side, known: Mapping[str, str]
) -> list[dict[str, Any]]:
    is_after = side is found.after
    given, others = (asked.after, asked.before) if is_after else (asked.before, asked.after)
    other = set(others.found[picked.place].tolist())
    common, wanted = set(found.items.common.tolist()), _labels(asked, picked)
    levels = max(found.before.hasher.taxonomy.depth, found.after.hasher.taxonomy.depth)
    shades = colours(levels)
    answers = []
    for item, distance in zip(
        given.found[picked.place].tolist(), given.distances[picked.place].tolist(), strict=True
    ):
        if item < 0:
            continue
        paths = side.paths(item)
        answers.append(
            {
                "id": found.items.ids[item],
                "image": known.get(found.items.ids[item]),
                "name": _name(paths) or found.items.ids[item],
                "title": f"{found.items.ids[item]}: {_title(paths)}",
                "distance": distance,
                "colour": shades[agreed(wanted, paths, levels)] if wanted else None,
                "both": item in other,
                "alone": ("new" if is_after else "gone") if item not in common else "",
            }
        )
    return answers


def agreed(query: Sequence[LabelPath], answer: Sequence[LabelPath], levels: int) -> int:
    """On how many levels they have a node in common."""
    return sum(bool(nodes(query, level) & nodes(answer, level)) for level in range(levels))


def _labels(asked: Asked, picked: Picked) -> Sequence[LabelPath]:
    return asked.queries.labels[picked.row] if asked.queries.labels is not None else ()


def _title(paths: Iterable[LabelPath]) -> str:
    return ", ".join(" / ".join(path) for path in paths) or "no label"


def _name(paths: Iterable[LabelPath]) -> str:
    return ", ".join(path[-1] for path in paths)


def _thumbnails(ids: Sequence[str], pictures_of: PicturesOf | None, found: Shadow) -> dict[str, str]:
    """Pictures of items that can be had, by their ids."""
    known = pictures_of(ids) if pictures_of is not None and ids else {}
    shown = {item: _image(data, _reader(found.after)) for item, data in known.items()}
    return {item: image for item, image in shown.items() if image is not None}


def _reader(side: Side) -> int:
    return side.hasher.generation.preprocessing.reader


def _image(data: bytes, reader: int) -> str | None:
    """A small picture as an address of its own bytes; None of what is no picture."""
    try:
        small = drawn(decode(data, version=reader))
    except TaxohashError:
        return None
    return "data:image/webp;base64," + base64.b64encode(small).decode()
