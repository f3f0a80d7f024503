from collections.abc import Iterator
from pathlib import Path

import pytest

from taxohash.datasets import Dataset, writer
from taxohash.datasets.identity import directory_md5
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from tests.support.tiny import COUNTS, TAXONOMY, tiny_rows


def test_the_same_rows_give_these_bytes_everywhere(tiny: Path) -> None:
    """A new pin of pyarrow, or a changed setting, changes the identity of every prepared set: data.dvc too."""
    assert directory_md5(tiny) == "41af8b957debb19477ea6a69414d5457.dir"


def test_nothing_is_left_when_writing_stops(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield from tiny_rows("train")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "out", TAXONOMY, [("train", rows())])
    with pytest.raises(TaxohashError, match="split 'test' of 'tiny' has no rows"):
        write_dataset(tmp_path / "out", TAXONOMY, [("train", tiny_rows("train")), ("test", [])])
    assert list(tmp_path.iterdir()) == []


def test_a_row_group_is_bounded_in_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tiny_rows("train")
    monkeypatch.setattr(writer, "GROUP_BYTES", 2 * len(rows[0].image))
    write_dataset(tmp_path / "out", TAXONOMY, [("train", rows)])
    dataset = Dataset.open(tmp_path / "out")
    assert [group.rows for group in dataset.row_groups("train")] == [2] * 15
    assert list(dataset.images("train")) == [row.image for row in rows]


def test_an_existing_folder_is_kept(tiny: Path) -> None:
    before = directory_md5(tiny)
    with pytest.raises(TaxohashError, match="exists already"):
        write_dataset(tiny, TAXONOMY, ((split, tiny_rows(split)) for split in COUNTS))
    assert directory_md5(tiny) == before
