"""Which splits are learned from and found."""

from pathlib import Path

import pytest

from taxohash.datasets import Dataset
from taxohash.datasets.splits import indexed_splits, listed, refuse_canary, unwatched
from taxohash.datasets.writer import write_split
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY, make_tiny, tiny_rows


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = make_tiny(tmp_path / "data")
    for split in ("canary", "more"):
        (folder / f"{split}.parquet").write_bytes((folder / "test.parquet").read_bytes())
    return Dataset.open(folder)


@pytest.mark.parametrize(
    ("asked", "indexed"),
    [
        ("", ("train", "test", "more")),
        ("test", ("test",)),
        ("more, train,", ("train", "more")),
        ("test,test", ("test",)),
    ],
)
def test_all_but_the_canary_in_the_order_of_the_set(
    dataset: Dataset, asked: str, indexed: tuple[str]
) -> None:
    assert indexed_splits(dataset, listed(asked)) == indexed


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("canary", "split 'canary' is never indexed: it is kept apart to watch hashers with, choose another"),
        ("train,canary", "never indexed"),
        ("train,val", "has no split 'val': choose from train, test, canary, more"),
    ],
)
def test_others_are_refused(dataset: Dataset, asked: str, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        indexed_splits(dataset, listed(asked))


def test_a_canary_alone_cannot_be_indexed(dataset: Dataset) -> None:
    for split in ("train", "test", "more"):
        (dataset.folder / f"{split}.parquet").unlink()
    with pytest.raises(TaxohashError, match="has only canary: give it a split that can be indexed"):
        indexed_splits(Dataset.open(dataset.folder))


def test_only_the_canary_is_refused() -> None:
    assert refuse_canary("test", "asked by the gate") == "test"
    with pytest.raises(TaxohashError, match="split 'canary' is never asked by the gate"):
        refuse_canary("canary", "asked by the gate")


def test_classes_without_a_canary_are_those_that_can_be_found(dataset: Dataset) -> None:
    canary = dataset.folder / "canary.parquet"
    write_split(canary, [row for row in tiny_rows("test") if row.label == 1])
    assert unwatched(dataset, ["train"]) == [TAXONOMY.paths[0], TAXONOMY.paths[2]]
    canary.unlink()
    assert unwatched(Dataset.open(dataset.folder), ["train"]) == []
