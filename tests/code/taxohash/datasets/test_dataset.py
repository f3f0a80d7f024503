import io
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.layout import IMAGE, schema
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_split
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, decode, to_array
from tests.support.outcome import answer
from tests.support.tiny import COUNTS, TAXONOMY, tiny_rows


def test_opens_what_was_written(tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    assert dataset.taxonomy == TAXONOMY
    assert dataset.splits == ("train", "test")
    for split, count in COUNTS.items():
        rows = tiny_rows(split)
        assert dataset.count(split) == count
        assert dataset.labels(split).dtype == np.int32
        assert dataset.labels(split).tolist() == [row.label for row in rows]
        assert [own.tolist() for own in dataset.label_sets(split)] == [[row.label] for row in rows]
        assert np.array_equal(dataset.multi_hot(split), np.eye(3, dtype=bool)[dataset.labels(split)])
        assert list(dataset.images(split)) == [row.image for row in rows]
        assert dataset.paths(split) == [row.name for row in rows]


@pytest.mark.parametrize("rows", [[], [29], [3, 3, 0, 17, 29]])
def test_some_rows_come_in_the_order_asked_for(tiny: Path, rows: list[int]) -> None:
    wanted = [tiny_rows("train")[row].image for row in rows]
    assert list(Dataset.open(tiny).images("train", rows)) == wanted
    shard(tiny, "train", groups_of=4)
    assert list(Dataset.open(tiny).images("train", np.array(rows, np.int32))) == wanted


@pytest.mark.parametrize("row", [-1, 30])
def test_a_row_outside_is_named(tiny: Path, row: int) -> None:
    with pytest.raises(TaxohashError, match="30 rows"):
        Dataset.open(tiny).images("train", [row])


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(8, 1, "pad", (0.0,), (1.0,)),
        Preprocessing(6, 3, "crop", (0.0,) * 3, (1.0,) * 3),
    ],
)
def test_pixels_are_decoded_and_preprocessed(tiny: Path, preprocessing: Preprocessing) -> None:
    dataset = Dataset.open(tiny)
    pixels = dataset.pixels("test", preprocessing, progress=False)
    expected = [to_array(decode(data), preprocessing) for data in dataset.images("test")]
    assert np.array_equal(pixels, np.stack(expected))


@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_quick_way_gives_the_same_pixels(
    tiny: Path, colours: tuple[int, ...], channels: Literal[1, 3]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 9, *colours), np.uint8)
    write_split(tiny / "extra.parquet", [Row(encode_png(image), "", 0) for image in images])
    dataset = Dataset.open(tiny)
    preprocessing = Preprocessing(9, channels, "pad", (0.0,) * channels, (1.0,) * channels)
    expected = [to_array(decode(data), preprocessing) for data in dataset.images("extra")]
    assert np.array_equal(dataset.pixels("extra", preprocessing), np.stack(expected))
    assert dataset.paths("extra") == [""] * 4


def test_shards_are_one_split(tiny: Path) -> None:
    whole = Dataset.open(tiny)
    labels, images = whole.labels("train"), list(whole.images("train"))
    shard(tiny, "train", groups_of=7)
    sharded = Dataset.open(tiny)
    assert len(sharded.files["train"]) == 3
    assert np.array_equal(sharded.labels("train"), labels)
    assert list(sharded.images("train")) == images
    (tiny / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(TaxohashError, match="lacks a shard"):
        Dataset.open(tiny)


def test_sets_of_labels(tiny: Path) -> None:
    for split in COUNTS:
        (tiny / f"{split}.parquet").unlink()
    sets = [[0, 2], [], [1]]
    write_split(tiny / "train.parquet", [Row(b"x", "", labels) for labels in sets])
    dataset = Dataset.open(tiny)
    assert dataset.label_column("train") == "labels"
    assert [own.tolist() for own in dataset.label_sets("train")] == sets
    assert dataset.multi_hot("train").tolist() == [[label in own for label in range(3)] for own in sets]
    with pytest.raises(TaxohashError, match=r"split train of .* has several labels an image"):
        dataset.labels("train")


def test_a_split_without_labels(tiny: Path) -> None:
    write_split(tiny / "train.parquet", [row._replace(label=None) for row in tiny_rows("train")])
    dataset = Dataset.open(tiny)
    assert (dataset.label_column("train"), dataset.label_column("test")) == (None, "label")
    assert dataset.count("train") == COUNTS["train"]
    assert list(dataset.images("train")) == [row.image for row in tiny_rows("train")]
    for read in (dataset.labels, dataset.label_sets, dataset.multi_hot):
        with pytest.raises(TaxohashError, match=r"split train of .* has no labels"):
            read("train")


def test_shards_must_be_labelled_alike(tiny: Path) -> None:
    shard(tiny, "train", groups_of=7)
    file = tiny / "train-00001-of-00003.parquet"
    pq.write_table(pq.read_table(file).drop_columns("label"), file)
    for read in (Dataset.label_column, Dataset.labels):
        with pytest.raises(
            TaxohashError, match=r"train-00001-of-00003\.parquet of .* are labelled differently"
        ):
            read(Dataset.open(tiny), "train")


IMAGES: dict[str, pa.StructType] = {
    "path first": pa.struct([("path", pa.string()), ("bytes", pa.binary())]),
    "no path": pa.struct([("bytes", pa.binary())]),
    "path null": pa.struct([("bytes", pa.binary()), ("path", pa.null())]),
    "large": pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())]),
    "more": pa.struct([("sha", pa.int8()), ("bytes", pa.binary()), ("path", pa.string())]),
}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("item", ["item", "element"])
def test_shards_may_differ_in_what_does_no_harm(tiny: Path, kind: str, item: str) -> None:
    for split in COUNTS:
        (tiny / f"{split}.parquet").unlink()
    images = [row.image for row in tiny_rows("test")]
    write_split(
        tiny / "train-00000-of-00002.parquet", [Row(image, f"{n}.png", [0]) for n, image in enumerate(images)]
    )
    other = pa.table(
        {
            "labels": pa.array([[1, 2]] * len(images), pa.list_(pa.field(item, pa.int32()))),
            "image": pa.array([{"bytes": image} for image in images], IMAGES[kind]),
        }
    )
    pq.write_table(other, tiny / "train-00001-of-00002.parquet")
    dataset = Dataset.open(tiny)
    assert list(dataset.images("train")) == images * 2
    assert list(dataset.images("train", [7, 1])) == [images[1], images[1]]
    assert [own.tolist() for own in dataset.label_sets("train")] == [[0]] * 6 + [[1, 2]] * 6
    assert not [found for found in check(tiny, progress=False).findings if found.severity == "error"]


@pytest.mark.parametrize(
    "kind", [pa.struct([("path", pa.string())]), pa.struct([("bytes", pa.string())]), pa.string(),
             pa.struct([("bytes", pa.binary()), ("path", pa.int8())])],
)  # fmt: skip
def test_shards_of_other_types_are_refused(tiny: Path, kind: "pa.DataType") -> None:
    shard(tiny, "train", groups_of=7)
    file = tiny / "train-00002-of-00003.parquet"
    labels = pa.array([0], pa.int32())
    pq.write_table(pa.table({"image": pa.array([None], kind), "label": labels}), file)
    with pytest.raises(TaxohashError, match=r"train-00002-of-00003\.parquet has the column image as"):
        Dataset.open(tiny).labels("train")
    assert any("00002-of-00003" in found.text for found in check(tiny, progress=False).findings)


def test_foreign_tables_are_read_as_well(tiny: Path) -> None:
    """Other writers leave out paths, write dictionaries, and name the items of lists otherwise."""
    images = pa.array(
        [{"bytes": b"x", "extra": 1}, None], pa.struct([("extra", pa.int8()), ("bytes", pa.binary())])
    )
    labels = pa.array([[1], [2, 0]], pa.list_(pa.field("item", pa.int32())))
    (tiny / "test.parquet").unlink()
    pq.write_table(pa.table({"image": images, "labels": labels}), tiny / "train.parquet")
    dataset = Dataset.open(tiny)
    assert list(dataset.images("train")) == [b"x", b""]
    assert [own.tolist() for own in dataset.label_sets("train")] == [[1], [2, 0]]


def test_errors_name_the_thing(tiny: Path, tmp_path: Path) -> None:
    for folder, message in ((tmp_path / "none", "not a folder"), (tmp_path, "taxonomy")):
        with pytest.raises(TaxohashError, match=message):
            Dataset.open(folder)
    dataset = Dataset.open(tiny)
    with pytest.raises(TaxohashError, match="no split 'dev': choose one of train, test"):
        dataset.labels("dev")
    for label in (3, -1, None):
        columns = schema("label")
        table = pa.table({"image": [{"bytes": b"", "path": ""}] * 2, "label": [0, label]}, schema=columns)
        pq.write_table(table, tiny / "test.parquet")
        with pytest.raises(TaxohashError, match="row 1 of test"):
            dataset.labels("test")
    with pytest.raises(TaxohashError, match="row 0 of test"):
        dataset.pixels("test", Preprocessing(8, 1, "pad", (0.0,), (1.0,)))


def test_files_that_are_no_tables_of_the_layout(tiny: Path) -> None:
    shutil.copy(tiny / "taxonomy.json", tiny / "test.parquet")
    with pytest.raises(TaxohashError, match=r"test\.parquet cannot be read as Parquet"):
        Dataset.open(tiny).count("test")
    pq.write_table(pa.table({"image": [b"x"], "label": [0]}), tiny / "test.parquet")
    with pytest.raises(TaxohashError, match="column image as binary"):
        Dataset.open(tiny).count("test")
    image, label = pa.array([{"bytes": b"x", "path": "y"}]), pa.array([0], pa.int32())
    for columns in ({"image": 2, "label": 1}, {"image": 1, "label": 2}):
        names = [name for name, times in columns.items() for _ in range(times)]
        arrays = [image if name == "image" else label for name in names]
        pq.write_table(pa.Table.from_arrays(arrays, names=names), tiny / "test.parquet")
        with pytest.raises(TaxohashError, match=r"has the column (image|label) 2 times: keep one"):
            Dataset.open(tiny).count("test")
    twice = pa.StructArray.from_arrays(
        [image.field("bytes"), *[image.field("path")] * 2], ["bytes", "path", "path"]
    )
    pq.write_table(pa.table({"image": twice, "label": label}), tiny / "test.parquet")
    with pytest.raises(
        TaxohashError, match=r"as struct<bytes: binary, path: string, path: string>: write it as"
    ):
        Dataset.open(tiny).paths("test")
    for file in tiny.glob("*.parquet"):
        file.unlink()
    with pytest.raises(TaxohashError, match="no split"):
        Dataset.open(tiny)


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to("nowhere")], ids=["folder", "pipe", "link"]
)
def test_what_is_no_file_is_no_split(tiny: Path, make: Callable[[Path], None]) -> None:
    make(tiny / "val.parquet")
    with pytest.raises(TaxohashError, match=r"val\.parquet is no file: remove it"):
        Dataset.open(tiny)


def test_a_damaged_file_is_one_line(tiny: Path) -> None:
    file = tiny / "train.parquet"
    data = bytearray(file.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    file.write_bytes(data)
    with pytest.raises(TaxohashError, match=r"train\.parquet cannot be read as Parquet") as caught:
        list(Dataset.open(tiny).images("train"))
    assert "\n" not in str(caught.value)


def test_any_changed_byte_of_a_table_is_read_consistently_or_refused_in_one_line(tmp_path: Path) -> None:
    """Of a table without checksums: numbers of rows, types and names among the bytes."""
    TAXONOMY.save(tmp_path / "taxonomy.json")
    file = tmp_path / "train.parquet"
    images = pa.array([{"bytes": b"x", "path": f"{row}"} for row in range(3)], IMAGE)
    table = pa.table({"image": images, "label": pa.array([0, 1, 2], pa.int32())})
    pq.write_table(table, file, compression="none", store_schema=False, write_statistics=False)
    whole = file.read_bytes()
    reads: tuple[Callable[[Dataset], int], ...] = (
        lambda dataset: dataset.count("train"),
        lambda dataset: len(dataset.paths("train")),
        lambda dataset: len(list(dataset.images("train"))),
        lambda dataset: len(dataset.labels("train")),
    )
    found: Counter[int | None] = Counter()
    for place, change in itertools.product(range(4, len(whole) - 4), (0x02, 0x0C, 0x82)):
        damaged = bytearray(whole)
        damaged[place] ^= change
        file.write_bytes(damaged)
        dataset = Dataset.open(tmp_path)
        counts = [answer(partial(read, dataset)) for read in reads]
        assert len({count for count in counts if count is not None}) <= 1
        found.update(counts)
    assert min(found[3], found[None]) > 100


def test_the_hugging_face_feature_is_declared(tiny: Path) -> None:
    metadata = pq.read_schema(tiny / "train.parquet").metadata
    assert metadata[b"huggingface"] == b'{"info": {"features": {"image": {"_type": "Image"}}}}'
    assert Image.open(io.BytesIO(next(Dataset.open(tiny).images("train")))).size == (7, 5)


def shard(folder: Path, split: str, groups_of: int) -> None:
    """Write a split anew as three shards with several row groups each."""
    table = pq.read_table(folder / f"{split}.parquet")
    (folder / f"{split}.parquet").unlink()
    size = -(-len(table) // 3)
    for index in range(3):
        file = folder / f"{split}-{index:05d}-of-00003.parquet"
        pq.write_table(table.slice(index * size, size), file, row_group_size=groups_of)
