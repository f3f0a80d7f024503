import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.shared.items import SMALL_BYTES, THUMBNAIL_PIXELS, items, thumbnail
from taxohash.datasets.ids import item_ids
from taxohash.datasets.writer import Row, write_split
from tests.support.miniature import make_dataset


def test_one_item_an_image_in_the_order_of_the_rows(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", train=12)
    found = items(dataset, "train")
    assert [item.id for item in found] == [f"train/{row:04d}" for row in range(12)]
    assert [item.labels for item in found] == [(label,) for label in dataset.labels("train").tolist()]
    assert [item.thumbnail for item in found] == list(dataset.images("train"))


def test_items_of_several_splits_follow_each_other_under_ids_of_the_whole_set(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", train=12, test=6)
    ids = item_ids(dataset)
    assert [item.id for item in items(dataset, "train", "test")] == ids["train"] + ids["test"]
    assert [item.id for item in items(dataset, "test")] == ids["test"]
    rows = [Row(image, "twice", 0) for image in dataset.images("test")]
    write_split(dataset.folder / "test.parquet", rows)
    hashed = [hashlib.sha256(row.image).hexdigest() for row in rows]
    assert [item.id for item in items(dataset, "train", "test")] == ids["train"] + hashed


def test_items_have_as_many_labels_as_their_images(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", train=20, test=6, known="labels", asked=None)
    assert [list(item.labels) for item in items(dataset, "train")] == [
        own.tolist() for own in dataset.label_sets("train")
    ]
    assert [item.labels for item in items(dataset, "test")] == [()] * 6


def test_a_large_image_gets_a_small_picture() -> None:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (300, 600, 3), np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    assert len(out.getvalue()) > SMALL_BYTES
    picture = Image.open(io.BytesIO(thumbnail(out.getvalue())))
    assert picture.size == (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS // 2)
