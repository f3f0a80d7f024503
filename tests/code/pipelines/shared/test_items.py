import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.shared.items import items
from services.codestore import Item
from services.codestore.checks import check_item
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.writer import Row, write_dataset, write_split
from taxohash.images import READER, decode, pixel_hash
from taxohash.images.thumbnails import thumbnail
from taxohash.taxonomy import Taxonomy
from tests.support.miniature import make_dataset
from tests.support.pictures import encoded


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures.open(tmp_path / "pictures")


def listed(dataset: Dataset, *splits: str, pictures: Pictures, reader: int = READER) -> list[Item]:
    numbers = np.arange(len(dataset.taxonomy), dtype=np.int32)
    made = items(dataset, *splits, numbers=numbers, pictures=pictures, reader=reader)
    return [item for batch in made for item in batch]


def test_one_item_an_image_in_the_order_of_the_rows(tmp_path: Path, pictures: Pictures) -> None:
    dataset = make_dataset(tmp_path / "data", train=12)
    found = listed(dataset, "train", pictures=pictures)
    assert [item.id for item in found] == [f"train/{row:04d}" for row in range(12)]
    assert [item.labels for item in found] == [(label,) for label in dataset.labels("train").tolist()]
    assert [pictures.get(item.thumbnail) for item in found] == list(dataset.images("train"))
    assert [item.pixels for item in found] == [
        pixel_hash(decode(data), READER) for data in dataset.images("train")
    ]
    assert not any(item.picture or item.uri for item in found)  # originals stay in the data set


def test_items_come_some_at_a_time_with_the_numbers_of_their_labels(
    tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.shared.items.BATCH", 5)
    dataset = make_dataset(tmp_path / "data", train=12, test=6)
    numbers = np.array([7, 3, 11, 0, 2, 5], np.int32)
    batches = list(items(dataset, "train", "test", numbers=numbers, pictures=pictures))
    assert [len(batch) for batch in batches] == [5, 5, 2, 5, 1]
    labels = [*dataset.labels("train"), *dataset.labels("test")]
    assert [item.labels for batch in batches for item in batch] == [(numbers[label],) for label in labels]
    for batch in batches:
        for item in batch:
            check_item(item, range(12))


def test_items_of_several_splits_follow_each_other_under_ids_of_the_whole_set(
    tmp_path: Path, pictures: Pictures
) -> None:
    dataset = make_dataset(tmp_path / "data", train=12, test=6)
    ids = item_ids(dataset)
    found = listed(dataset, "train", "test", pictures=pictures)
    assert [item.id for item in found] == ids["train"] + ids["test"]
    assert [item.id for item in listed(dataset, "test", pictures=pictures)] == ids["test"]
    rows = [Row(image, "twice", 0) for image in dataset.images("test")]
    write_split(dataset.folder / "test.parquet", rows)
    hashed = [hashlib.sha256(row.image).hexdigest() for row in rows]
    found = listed(dataset, "train", "test", pictures=pictures)
    assert [item.id for item in found] == ids["train"] + hashed


def test_items_have_as_many_labels_as_their_images(tmp_path: Path, pictures: Pictures) -> None:
    dataset = make_dataset(tmp_path / "data", train=20, test=6, known="labels", asked=None)
    assert [list(item.labels) for item in listed(dataset, "train", pictures=pictures)] == [
        own.tolist() for own in dataset.label_sets("train")
    ]
    assert [item.labels for item in listed(dataset, "test", pictures=pictures)] == [()] * 6


def test_thumbnails_are_read_as_their_generation_reads(tmp_path: Path, pictures: Pictures) -> None:
    dark = encoded(Image.fromarray(np.full((8, 8), 200, np.uint16)))  # the first reader guessed the range
    rows = [Row(dark, "dark.png", 0)]
    write_dataset(tmp_path / "set", Taxonomy("set", (("a",),)), [("train", rows)])
    for reader in (1, 2):
        (item,) = listed(Dataset.open(tmp_path / "set"), "train", pictures=pictures, reader=reader)
        assert pictures.get(item.thumbnail) == thumbnail(dark, reader)
        assert item.pixels == pixel_hash(decode(dark, version=reader), reader)
