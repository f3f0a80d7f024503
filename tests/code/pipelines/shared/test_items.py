import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.shared.items import SMALL_BYTES, THUMBNAIL_PIXELS, items, thumbnail
from services.codestore import Item
from services.codestore.checks import check_item
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.writer import Row, write_dataset, write_split
from taxohash.images import READER, decode
from taxohash.taxonomy import Taxonomy
from tests.support.miniature import make_dataset
from tests.support.pictures import encoded, noise, turned


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


def shown(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_large_image_gets_a_small_picture_of_what_the_hasher_sees(mode: str) -> None:
    data = encoded(noise(16, 8, mode).resize((600, 300), Image.Resampling.BICUBIC))
    assert len(data) > SMALL_BYTES
    picture = shown(thumbnail(data))
    assert (picture.format, picture.mode, picture.size) == (
        "WEBP",
        "RGB",
        (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS // 2),
    )
    expected = decode(data).convert("RGB")
    expected.thumbnail(picture.size)
    differences = abs(np.asarray(picture).astype(int) - np.asarray(expected))
    assert differences.mean() < 8  # what WebP loses


def test_hidden_colours_do_not_show() -> None:
    image = noise(200, 200, "RGBA")
    image.putalpha(0)
    assert (np.asarray(shown(thumbnail(encoded(image)))) >= 254).all()


@pytest.mark.parametrize(
    "data",
    [
        encoded(noise(30, 20), "JPEG", exif=turned(6)),
        encoded(noise(30, 20, "CMYK"), "JPEG"),
        encoded(noise(30, 20, "RGBA")),
        encoded(noise(30, 20, "P with tRNS")),
        encoded(noise(30, 20, "I;16")),
        encoded(noise(30, 20), "GIF", save_all=True, append_images=[noise(30, 20, seed=1)]),
        encoded(noise(30, 20), "BMP"),
        encoded(noise(30, 20), icc_profile=b"a profile that browsers may heed"),
    ],
)
def test_a_small_image_that_programs_may_show_otherwise_is_drawn_anew_and_loses_nothing(data: bytes) -> None:
    assert len(data) <= SMALL_BYTES
    made = thumbnail(data)
    assert made != data
    picture = shown(made)
    assert picture.format == "WEBP"
    assert getattr(picture, "n_frames", 1) == 1
    assert not {"icc_profile", "exif"} & set(picture.info)
    assert np.array_equal(np.asarray(picture), np.asarray(decode(data).convert("RGB")))


def test_a_small_image_that_all_show_alike_is_its_own() -> None:
    for mode in ("1", "L", "P", "RGB"):
        data = encoded(noise(30, 20, mode))
        assert thumbnail(data) == data


@pytest.mark.parametrize("size", [(3000, 3000), (5000, 1), (1, 5000), (129, 1)])
def test_few_bytes_of_many_pixels_are_no_thumbnail(size: tuple[int, int]) -> None:
    data = encoded(Image.new("1", size))
    assert len(data) <= SMALL_BYTES
    assert max(shown(thumbnail(data)).size) == THUMBNAIL_PIXELS


def test_no_thumbnail_is_large() -> None:
    for side in (64, 65, 127, 128, 129, 400):
        for mode in ("RGB", "RGBA", "L"):
            assert len(thumbnail(encoded(noise(side, side, mode)))) <= 64 * 1024


def test_a_thumbnail_is_read_as_its_generation_reads(tmp_path: Path, pictures: Pictures) -> None:
    dark = encoded(Image.fromarray(np.full((8, 8), 200, np.uint16)))  # the first reader guessed the range
    assert np.asarray(shown(thumbnail(dark))).max() == 0
    assert np.asarray(shown(thumbnail(dark, reader=1))).min() == 200
    rows = [Row(dark, "dark.png", 0)]
    write_dataset(tmp_path / "set", Taxonomy("set", (("a",),)), [("train", rows)])
    for reader in (1, 2):
        (item,) = listed(Dataset.open(tmp_path / "set"), "train", pictures=pictures, reader=reader)
        assert pictures.get(item.thumbnail) == thumbnail(dark, reader)
