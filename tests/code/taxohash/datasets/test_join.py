"""More images for a data set, as further shards."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from taxohash.datasets import Dataset
from taxohash.datasets.cost import cost
from taxohash.datasets.identity import tracked
from taxohash.datasets.join import join
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.data_versions import image
from tests.support.tiny import TAXONOMY


def part_of(folder: Path, taxonomy: Taxonomy = TAXONOMY, **splits: list[Row]) -> Path:
    write_dataset(folder, taxonomy, splits.items())
    return folder


def rows(*names: str) -> list[Row]:
    return [Row(image(name), name, 1) for name in names]


def test_a_split_grows_by_shards_and_no_byte_of_the_others_is_stored_again(
    tiny: Path, tmp_path: Path
) -> None:
    (tiny / "notes").mkdir()
    (tiny / "notes" / "README").write_text("ours")
    before, paths = tracked(tiny), Dataset.open(tiny).paths("train")
    assert join(part_of(tmp_path / "one", train=rows("a", "b")), tiny) == {"train": (30, 32)}
    two = part_of(tmp_path / "two", train=rows("c"), extra=rows("d"))
    assert join(two, tiny) == {"train": (32, 33), "extra": (0, 1)}
    joined = Dataset.open(tiny)
    assert joined.paths("train") == [*paths, "a", "b", "c"]
    assert list(joined.images("train", [30, 32])) == [image("a"), image("c")]
    assert sorted(file.name for file in tiny.iterdir()) == [
        "extra.parquet", "notes", "taxonomy.json", "test.parquet",
        *(f"train-0000{shard}-of-00003.parquet" for shard in range(3)),
    ]  # fmt: skip
    assert (tiny / "notes" / "README").read_text() == "ours"
    assert cost(before, tracked(tiny)).new_files == 4  # three of both parts, and the list of files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "tiny", "two"]


def test_what_does_not_fit_is_refused_and_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    before = tracked(tiny)
    other = replace(TAXONOMY, paths=(*TAXONOMY.paths, ("animal", "ant")))
    wrong = {
        "has the taxonomy": part_of(tmp_path / "a", other, train=rows("a")),
        "has label and labels: write both alike": part_of(
            tmp_path / "b", train=[Row(image("b"), "b", (0, 1))]
        ),
        r"1 images of .* have the path of one in .* \(train/3.png\): leave them out": part_of(
            tmp_path / "c", test=rows("train/3.png")
        ),
        "is not a folder": tmp_path / "nowhere",
    }
    for said, part in wrong.items():
        with pytest.raises(TaxohashError, match=said):
            join(part, tiny)
    assert tracked(tiny) == before


def test_interrupted_the_set_is_what_it_was(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tracked(tiny)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    part = part_of(tmp_path / "part", train=rows("a"))
    monkeypatch.setattr("taxohash.datasets.join.place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        join(part, tiny)
    assert tracked(tiny) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part", tiny.name]


def test_where_files_cannot_be_linked_they_are_copied(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("os.link", refused)
    part = part_of(tmp_path / "part", train=rows("a"))
    assert join(part, tiny) == {"train": (30, 31)}
    shutil.rmtree(part)
    assert list(Dataset.open(tiny).images("train", [30])) == [image("a")]
