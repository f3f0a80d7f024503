import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.diff import Diff, Picture, _join, _Seen, diff, label_changes
from taxohash.datasets.diff_sheets import diff_sheets
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.taxonomy import Taxonomy
from tests.support.tiny import TAXONOMY, tiny_rows


def as_bmp(image: bytes) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(image)).save(stream, "BMP")
    return stream.getvalue()


def noise(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (4, 4), np.uint8))


def make(
    folder: Path, train: Iterable[Row], test: Iterable[Row] = (), taxonomy: Taxonomy = TAXONOMY
) -> Dataset:
    splits = {"train": list(train), "test": list(test)}
    write_dataset(folder, taxonomy, ((split, rows) for split, rows in splits.items() if rows))
    return Dataset.open(folder)


def told(found: Diff) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(pair.before.path, pair.after.path, pair.changes) for pair in found.changed]


def paths(pictures: Iterable[Picture]) -> list[str]:
    return [picture.path for picture in pictures]


def test_equal_sets_do_not_differ(tiny: Path, tmp_path: Path) -> None:
    found = diff(
        Dataset.open(tiny), make(tmp_path / "b", tiny_rows("train"), tiny_rows("test")), progress=False
    )
    assert (found.added, found.removed, found.changed, bool(found.taxonomy)) == ([], [], [], False)
    assert found.images == {"train": (30, 30), "test": (6, 6)}
    assert diff_sheets(found, tmp_path / "sheets") == []


def test_each_change_is_found(tmp_path: Path) -> None:
    rows = tiny_rows("train")
    before = make(tmp_path / "a", rows[:8], rows[8:10])
    after = [
        rows[0],
        rows[1]._replace(label=2),  # was 1
        rows[2]._replace(name="train/new.png"),
        rows[3]._replace(image=as_bmp(rows[3].image)),
        rows[4]._replace(image=noise(4)),
        rows[5]._replace(name="elsewhere/5.bmp", image=as_bmp(rows[5].image), label=0),  # was 2
        rows[8],  # was in test
        Row(noise(9), "train/9 new.png", 1),
        # 6 and 7 are gone
    ]
    found = diff(before, make(tmp_path / "b", after, rows[9:10]), progress=False)
    assert paths(found.added) == ["train/9 new.png"]
    assert paths(found.removed) == ["train/6.png", "train/7.png"]
    assert told(found) == [
        ("train/1.png", "train/1.png", ("relabelled",)),
        ("train/2.png", "train/new.png", ("renamed",)),
        ("train/3.png", "train/3.png", ("reencoded",)),
        ("train/4.png", "train/4.png", ("replaced",)),
        ("train/5.png", "elsewhere/5.bmp", ("relabelled", "reencoded")),
        ("train/8.png", "train/8.png", ("resplit",)),
    ]
    (relabelled, _) = found.having("relabelled")
    assert (relabelled.before.labels, relabelled.after.labels) == (("animal/dog",), ("plant/tree/oak",))
    assert found.images == {"train": (8, 8), "test": (2, 1)}
    sheets = diff_sheets(found, tmp_path / "sheets")
    assert [file.name for file in sheets] == ["added.png", "removed.png", "relabelled.png", "replaced.png"]
    assert json.loads(json.dumps(found.as_dict()))["changed"][0] == {
        "changes": ["relabelled"],
        "before": {"split": "train", "row": 1, "path": "train/1.png", "labels": ["animal/dog"]},
        "after": {"split": "train", "row": 1, "path": "train/1.png", "labels": ["plant/tree/oak"]},
    }


def test_row_numbers_as_names_make_one_new_picture(tmp_path: Path) -> None:
    images = [row.image for row in tiny_rows("train")]
    before = make(tmp_path / "a", [Row(image, f"{n}.png", 0) for n, image in enumerate(images)])
    after = make(tmp_path / "b", [Row(image, f"{n}.png", 0) for n, image in enumerate([noise(1), *images])])
    found = diff(before, after, progress=False)
    assert paths(found.added) == ["0.png"]
    assert found.removed == []
    assert {pair.changes for pair in found.changed} == {("renamed",)}


def test_copies_find_the_copy_that_changed_least(tmp_path: Path) -> None:
    same, broken = noise(1), b"broken"
    rows = [Row(same, "a.png", 0), Row(same, "b.png", 1), Row(same, "", 2), Row(broken, "c.png", 0)]
    moved = [rows[2], rows[1]._replace(name="b2.png"), rows[0], Row(broken + b"!", "c.png", 0)]
    found = diff(make(tmp_path / "a", rows), make(tmp_path / "b", moved), progress=False)
    assert told(found) == [("b.png", "b2.png", ("renamed",)), ("c.png", "c.png", ("replaced",))]
    renamed = [rows[1]._replace(name="b2.png"), rows[0]._replace(name="a2.png")]
    named = diff(make(tmp_path / "e", rows[:2]), make(tmp_path / "f", renamed), progress=False)
    assert told(named) == [("b.png", "b2.png", ("renamed",)), ("a.png", "a2.png", ("renamed",))]
    fewer = diff(make(tmp_path / "c", rows), make(tmp_path / "d", rows[1:]), progress=False)
    assert (paths(fewer.removed), fewer.added, fewer.changed) == (["a.png"], [], [])


def test_labels_are_compared_as_paths_not_numbers_and_may_be_sets_or_absent(tmp_path: Path) -> None:
    rows = [Row(noise(n), f"{n}.png", label) for n, label in enumerate([0, 1, 2])]
    reordered = Taxonomy("tiny", TAXONOMY.paths[::-1])
    turned = [row._replace(label=2 - n) for n, row in enumerate(rows)]
    before = make(tmp_path / "a", rows)
    found = diff(before, make(tmp_path / "b", turned, taxonomy=reordered), progress=False)
    assert (found.changed, found.taxonomy.reordered) == ([], True)
    sets = [row._replace(label=[n]) for n, row in enumerate(rows)]
    assert diff(before, make(tmp_path / "c", sets), progress=False).changed == []
    none = diff(before, make(tmp_path / "d", [row._replace(label=None) for row in rows]), progress=False)
    assert {pair.changes for pair in none.changed} == {("relabelled",)}
    assert none.changed[0].after.labels is None


def test_changes_of_the_tree() -> None:
    before = Taxonomy("t", (("animal", "cat"), ("animal", "dog"), ("plant", "oak"), ("x", "oak")), ("a", "b"))
    after = Taxonomy("t", (("pet", "dog"), ("animal", "cat"), ("plant", "elm"), ("x", "oak")), ("a", "c"))
    assert asdict(label_changes(before, after)) == {
        "added": ("plant/elm",),
        "removed": ("plant/oak",),  # two have this name, so neither is known again by it
        "moved": (("animal/dog", "pet/dog"),),
        "reordered": False,
        "levels": (("a", "b"), ("a", "c")),
    }
    assert not label_changes(before, before)


pictures = st.lists(st.integers(0, 5), max_size=12)


@given(pictures, pictures)
def test_joining_pairs_as_many_as_there_are(left: list[int], right: list[int]) -> None:
    seen = [
        [_Seen(Picture("train", row, "", None), bytes([n])) for row, n in enumerate(own)]
        for own in (left, right)
    ]
    pairs = _join(seen[0], seen[1], lambda one: one.digest != b"\0" and one.digest)
    assert all(one.digest == other.digest != b"\0" for one, other in pairs)
    wanted = {n: min(left.count(n), right.count(n)) for n in range(1, 6)}
    assert len(pairs) == sum(wanted.values())
    for side, own in zip(seen, (left, right), strict=True):
        assert [one.picture.row for one in side] == sorted(one.picture.row for one in side)
        assert len(side) == len(own) - len(pairs)
        assert sum(one.digest == b"\0" for one in side) == own.count(0)


def test_long_sheets_say_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[tuple[str, ...]]] = {}

    def draw(title: str, lines: list[tuple[tuple[str, ...], list[object]]]) -> Image.Image:
        drawn[title] = [caption for caption, _ in lines]
        return Image.new("L", (1, 1))

    monkeypatch.setattr("taxohash.datasets.diff_sheets.draw_sheet", draw)
    taxonomy = Taxonomy("wide", tuple((f"label {n}",) for n in range(50)))
    old = [Row(noise(1000), "x.png", 0)]
    new = [Row(noise(n), f"{n}.png", n % 50) for n in range(50)] + [
        Row(noise(n), f"{n}.png", 7) for n in range(50, 65)
    ]
    before, after = (
        make(tmp_path / "a", old, taxonomy=taxonomy),
        make(tmp_path / "b", old + new, taxonomy=taxonomy),
    )
    diff_sheets(diff(before, after, progress=False), tmp_path / "sheets")
    (captions,) = drawn.values()
    assert list(drawn) == ["added: 40 of 50 lines shown"]
    assert captions[:2] == [("label 7", "12 of 16"), ("label 0", "1")]
