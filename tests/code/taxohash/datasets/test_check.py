import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from taxohash.cli import data
from taxohash.cli.diff import print_diff
from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.contact_sheet import contact_sheets, draw_sheet
from taxohash.datasets.layout import schema
from taxohash.datasets.writer import Row, write_split
from taxohash.errors import TaxohashError
from tests.support.tiny import COUNTS, tiny_rows


def findings(folder: Path) -> list[str]:
    return [f"{finding.severity}: {finding.text}" for finding in check(folder, progress=False).findings]


def height(file: Path) -> int:
    with Image.open(file) as image:
        return image.height


def test_a_sound_set(tiny: Path) -> None:
    result = check(tiny)
    assert result.ok
    assert result.findings == []
    assert result.images == COUNTS
    assert result.counts["train"].tolist() == [10, 10, 10]
    assert result.md5 == Dataset.open(tiny).md5()


def test_every_bad_image_is_named(tiny: Path) -> None:
    rows = tiny_rows("test")
    rows[2] = Row(b"no image", "", 0)
    rows[5] = Row(rows[5].image[:-30], "", 0)
    write_split(tiny / "test.parquet", rows)
    found = findings(tiny)
    assert [text.split(" in ")[0].split(": ")[:2] for text in found] == [
        ["error", "row 2 of test"],
        ["error", "row 5 of test"],
    ]
    assert not check(tiny).ok


def test_paths_that_cannot_be_ids_are_counted_and_the_first_is_named(tiny: Path) -> None:
    rows = tiny_rows("test")
    rows[1] = rows[1]._replace(name="line\nbreaks\u2028 and tabs\t are no fault")
    rows[2] = rows[2]._replace(name="日" * 342)
    rows[4] = rows[4]._replace(name="a" * 1025)
    write_split(tiny / "test.parquet", rows)
    (found,) = findings(tiny)
    assert found.startswith(
        "error: 2 images of test have a path that cannot be an id, the first in row 2: item id '日日"
    )
    assert found.endswith("has 1026 bytes of UTF-8: keep it between 1 and 1024")


def test_copies_within_and_across_splits(tiny: Path) -> None:
    train, test = tiny_rows("train"), tiny_rows("test")
    train[7] = train[4]  # same label
    test[0] = Row(train[4].image, "", 0)  # another label
    test[1] = train[9]
    write_split(tiny / "train.parquet", train)
    write_split(tiny / "test.parquet", test)
    assert findings(tiny) == [
        "warning: 1 images of train repeat an earlier one of it, row 7 = row 4; 0 with another label",
        "warning: 2 images of test are also in train, row 0 = row 4; 1 with another label",
    ]
    assert check(tiny).ok


def test_the_same_pixels_in_another_format_are_a_copy(tiny: Path, tmp_path: Path) -> None:
    test = tiny_rows("test")
    dataset = Dataset.open(tiny)
    (tmp_path / "x.png").write_bytes(next(dataset.images("train", [3])))
    Image.open(tmp_path / "x.png").save(tmp_path / "x.bmp")
    test[0] = Row((tmp_path / "x.bmp").read_bytes(), "", 0)
    write_split(tiny / "test.parquet", test)
    assert any("1 images of test are also in train, row 0 = row 3" in text for text in findings(tiny))


def test_labels_outside_the_taxonomy_and_unused_ones(tiny: Path) -> None:
    write_split(tiny / "train.parquet", [Row(row.image, "", 0) for row in tiny_rows("train")])
    found = findings(tiny)
    assert found == ["warning: 2 labels of test have no image in train: animal/dog, plant/tree/oak"]
    write_split(tiny / "test.parquet", [row._replace(label=7) for row in tiny_rows("test")])
    found = findings(tiny)
    assert found[0].startswith("error: row 0 of test")
    assert "label 7 (6 such), the taxonomy 0 to 2" in found[0]
    assert found[1] == "warning: 2 of 3 labels have no image: animal/dog, plant/tree/oak"


def test_classes_that_no_canary_watches_are_told(tiny: Path) -> None:
    write_split(tiny / "canary.parquet", [row for row in tiny_rows("test") if row.label == 1])
    told = [text for text in findings(tiny) if "watches" in text]
    assert told == [
        "warning: 2 labels have no image in canary, so that nothing watches them: animal/cat, plant/tree/oak"
    ]


def test_a_spoilt_split_does_not_hide_the_other(tiny: Path) -> None:
    (tiny / "train.parquet").write_bytes(b"PAR1")
    write_split(tiny / "test.parquet", [Row(b"", "", 9)])
    found = findings(tiny)
    assert len(found) == 3
    assert "train.parquet cannot be read as Parquet" in found[0]
    assert "row 0 of test" in found[1]
    assert "label 9" in found[2], found


def test_an_empty_split(tiny: Path) -> None:
    pq.write_table(schema("label").empty_table(), tiny / "test.parquet")
    assert findings(tiny) == ["error: split test has no rows"]


def test_sets_of_labels(tiny: Path) -> None:
    for split in COUNTS:
        (tiny / f"{split}.parquet").unlink()
    labels: list[list[int]] = [[0, 1], [], [2, 2]]
    rows = [row._replace(label=own) for row, own in zip(tiny_rows("train"), labels, strict=False)]
    write_split(tiny / "train.parquet", rows)
    assert findings(tiny) == [
        "error: 1 images of train list a label twice: rows 2",
        "warning: 1 images of train have no label: rows 1",
    ]


def test_a_split_without_labels(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = [row._replace(label=None) for row in tiny_rows("train")]
    train[7] = train[4]
    write_split(tiny / "train.parquet", train)
    result = check(tiny)
    assert result.ok
    assert result.counts.keys() == {"test"}
    assert findings(tiny) == [
        "warning: split train has no labels",
        "warning: 1 images of train repeat an earlier one of it, row 7 = row 4",
    ]
    assert data.check(tiny)
    assert "sound, 2 warnings" in capsys.readouterr().out


def test_the_command_prints_a_line_each(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data.check(tiny, sheets=tmp_path / "sheets")
    printed = capsys.readouterr().out
    assert "plant/tree/oak" in printed
    assert "sound, 0 warnings, md5 " in printed
    sheets = {file.name: height(file) for file in (tmp_path / "sheets").iterdir()}
    assert sheets.keys() == {"animal.png", "plant.png"}
    assert sheets["animal.png"] > sheets["plant.png"]  # two labels are two lines
    write_split(tiny / "test.parquet", [Row(b"", "[bold]", 0)])
    assert not data.check(tiny)
    assert "1 errors" in capsys.readouterr().out


def test_a_taxonomy_that_cannot_be_read_is_raised(tiny: Path) -> None:
    (tiny / "taxonomy.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(TaxohashError, match="taxonomy"):
        check(tiny)


def test_names_that_look_alike_or_cannot_be_seen(tiny: Path) -> None:
    taxonomy = {"name": "odd", "paths": [["animal", "cat"], ["animal", "Cat"], ["plant", "oak\n"]]}
    (tiny / "taxonomy.json").write_text(json.dumps(taxonomy))
    assert findings(tiny) == [
        "warning: 1 names differ from another in case or in their encoding alone: 'animal/Cat' and 'animal/cat'",
        r"warning: 1 names have characters that cannot be seen: 'oak\n'",
    ]


def test_json_tells_all_of_it(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.check(tiny, tmp_path / "sheets", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "folder": str(tiny),
        "name": "tiny",
        "md5": Dataset.open(tiny).md5(),
        "ok": True,
        "images": COUNTS,
        "labels": {
            split: dict.fromkeys(["animal/cat", "animal/dog", "plant/tree/oak"], count // 3)
            for split, count in COUNTS.items()
        },
        "findings": [],
        "sheets": [str(tmp_path / "sheets" / name) for name in ("animal.png", "plant.png")],
    }
    write_split(tiny / "test.parquet", [Row(b"", "", 0)])
    assert not data.check(tiny, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["sheets"]) == (False, [])
    assert told["findings"][0]["severity"] == "error"


def test_labels_without_a_class_above_share_sheets(tiny: Path, tmp_path: Path) -> None:
    paths = [[f"label {number}"] for number in range(90)] + [["top", "a"], ["top", "b"]]
    (tiny / "taxonomy.json").write_text(json.dumps({"name": "flat", "paths": paths}))
    sheets = contact_sheets(Dataset.open(tiny), tmp_path / "sheets")
    assert {sheet.name: height(sheet) for sheet in sheets} == {
        "top.png": 44 + 2 * 72,
        "flat.png": 44 + 40 * 72,
        "flat-2.png": 44 + 40 * 72,
        "flat-3.png": 44 + 10 * 72,
    }


def test_no_sheet_takes_another_ones_file(tiny: Path, tmp_path: Path) -> None:
    paths = [[top, own] for top in ("x-2", "x?", "x!", "X_") for own in "ab"]
    (tiny / "taxonomy.json").write_text(json.dumps({"name": "alike", "paths": paths}))
    sheets = contact_sheets(Dataset.open(tiny), tmp_path / "sheets")
    assert [sheet.name for sheet in sheets] == ["x-2.png", "x_.png", "x_-2.png", "X_-3.png"]


def test_a_sheet_holds_its_title_and_every_caption_on_one_line() -> None:
    narrow = draw_sheet("x", [(("a",), [None])])
    assert draw_sheet("x", [(("a\n\n\nb", "a" * 1000), [None])]).height == narrow.height
    titled = draw_sheet("W" * 1000, [(("a",), [None])])
    assert 1000 < titled.width < 4000
    assert titled.getpixel((titled.width - 8, 0)) == titled.getpixel((0, 0)) == (255, 255, 255)


def test_sheets_that_cannot_be_written_are_refused_first(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaxohashError, match="file cannot be written"):
        data.check(tiny, tmp_path / "file")
    with pytest.raises(TaxohashError, match="file cannot be written"):
        print_diff(str(tiny), str(tiny), tmp_path / "file")
    with pytest.raises(TaxohashError, match="nowhere is not a folder"):
        data.check(tmp_path / "nowhere", tmp_path / "sheets")
    assert not (tmp_path / "sheets").exists()
    assert capsys.readouterr().out == ""


def test_sheets_stay_out_of_the_set(tiny: Path) -> None:
    with pytest.raises(TaxohashError, match=r"lies inside the data set .* would change its md5"):
        data.check(tiny, tiny / "sheets")
    with pytest.raises(TaxohashError, match=r"lies inside the data set .* would change its md5"):
        print_diff(str(tiny), str(tiny), tiny / ".." / tiny.name / "new" / "sheets")
    assert sorted(file.suffix for file in tiny.iterdir()) == [".json", ".parquet", ".parquet"]


def test_of_many_damaged_pictures_the_first_are_listed(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(tiny / "test.parquet", [Row(b"", "", 0)] * 2000)
    assert not data.check(tiny)
    told = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("error: row ") for line in told) == 50
    assert told[-2] == "and 1,950 more: all with --json"
    assert "2,000 errors, 0 warnings" in told[-1]


def test_a_tree_of_many_classes_is_listed_in_part(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [[f"label {number}"] for number in range(1001)]
    (tiny / "taxonomy.json").write_text(json.dumps({"name": "flat", "paths": paths}))
    assert data.check(tiny)
    told = capsys.readouterr().out
    assert "label 99 " in told
    assert "label 100 " not in told
    assert "100 of 1,001 shown" in " ".join(told.split())


def test_contact_sheets_of_a_large_class_are_thinned_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, list[tuple[str, ...]]]] = []

    def draw(title: str, lines: Any) -> Image.Image:
        drawn.append((title, [caption for caption, _ in lines]))
        return draw_sheet(title, lines)

    monkeypatch.setattr("taxohash.datasets.contact_sheet.draw_sheet", draw)
    paths = [["top", f"label {number}"] for number in range(60)]
    (tmp_path / "taxonomy.json").write_text(json.dumps({"name": "wide", "paths": paths}))
    images = [{"bytes": b"broken", "path": ""}] * 14
    table = pa.table({"image": images, "label": [0] * 13 + [59]}, schema=schema("label"))
    pq.write_table(table, tmp_path / "train.parquet")
    (sheet,) = contact_sheets(Dataset.open(tmp_path), tmp_path / "sheets")
    assert height(sheet) == 44 + 40 * 72
    ((title, captions),) = drawn
    assert title == "top: 40 of 60 labels shown"
    assert (captions[0], captions[-1]) == (("label 0", "12 of 13 in train"), ("label 59", "1 in train"))
    (tmp_path / "file").touch()
    with pytest.raises(TaxohashError, match="cannot be written"):
        contact_sheets(Dataset.open(tmp_path), tmp_path / "file")
