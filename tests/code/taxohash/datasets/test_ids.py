"""Ids against their definition, in one version of a set and in the next."""

import hashlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxohash.datasets import Dataset
from taxohash.datasets.dataset import RowGroup
from taxohash.datasets.ids import item_ids
from taxohash.datasets.layout import IMAGE
from taxohash.datasets.writer import Row, write_split
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY

Images = list[tuple[bytes, str]]  # bytes and path
A, B, C = b"picture a", b"picture b", b"picture c"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(folder: Path, **splits: Images) -> Dataset:
    folder.mkdir(exist_ok=True)
    TAXONOMY.save(folder / "taxonomy.json")
    for file in folder.glob("*.parquet"):
        file.unlink()
    for split, images in splits.items():
        write_split(folder / f"{split}.parquet", [Row(data, path, 0) for data, path in images])
    return Dataset.open(folder)


def test_a_path_that_is_the_only_one_is_the_id(tmp_path: Path) -> None:
    dataset = write(tmp_path, train=[(A, "a.png"), (A, "b\nb")], test=[(B, "c.png")])
    assert item_ids(dataset) == {"train": ["a.png", "b\nb"], "test": ["c.png"]}


def test_two_splits_with_equal_paths(tmp_path: Path) -> None:
    dataset = write(tmp_path, train=[(A, "1.png"), (B, "2.png")], test=[(C, "1.png")])
    assert item_ids(dataset) == {"train": [sha256(A), "2.png"], "test": [sha256(C)]}


def test_a_removed_row_leaves_the_ids_of_the_others(tmp_path: Path) -> None:
    images = [(A, ""), (B, "x"), (C, "x"), (b"d", "y"), (b"e", "x")]
    before = item_ids(write(tmp_path, train=images, test=[(b"f", "")]))
    for row in range(len(images)):
        after = item_ids(write(tmp_path, train=images[:row] + images[row + 1 :], test=[(b"f", "")]))
        assert after["train"] == before["train"][:row] + before["train"][row + 1 :]
        assert after["test"] == before["test"]


def test_a_row_that_moves_to_another_split_keeps_its_id(tmp_path: Path) -> None:
    before = item_ids(write(tmp_path, train=[(A, ""), (B, "b"), (C, "")], test=[(b"d", "")]))
    after = item_ids(write(tmp_path, train=[(B, "b"), (C, "")], test=[(b"d", ""), (A, "")]))
    assert {*before["train"], *before["test"]} == {*after["train"], *after["test"]}
    assert after["test"][1] == before["train"][0] == sha256(A)


def test_equal_bytes_are_counted_over_splits(tmp_path: Path) -> None:
    dataset = write(tmp_path, train=[(A, ""), (A, ""), (B, "")], test=[(A, "")])
    assert item_ids(dataset) == {
        "train": [sha256(A), f"{sha256(A)}-2", sha256(B)],
        "test": [f"{sha256(A)}-3"],
    }


def test_a_path_that_looks_like_another_images_id_keeps_it(tmp_path: Path) -> None:
    dataset = write(tmp_path, train=[(A, ""), (B, sha256(A)), (A, ""), (C, f"{sha256(A)}-3")])
    assert item_ids(dataset)["train"] == [f"{sha256(A)}-2", sha256(A), f"{sha256(A)}-4", f"{sha256(A)}-3"]


rows = st.tuples(st.sampled_from([A, B, C]), st.sampled_from(["", "x", "y", "z", "a\nb", sha256(A)]))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.lists(rows, min_size=1, max_size=6), test=st.lists(rows, min_size=1, max_size=6))
def test_ids_are_as_defined_and_each_is_there_once(tmp_path: Path, train: Images, test: Images) -> None:
    found = item_ids(write(tmp_path, train=train, test=test))
    ids, images = found["train"] + found["test"], train + test
    paths = [path for _, path in images]
    assert len(set(ids)) == len(ids) == len(images)
    expected: Counter[str] = Counter()
    for item_id, (data, path) in zip(ids, images, strict=True):
        if path and paths.count(path) == 1:
            assert item_id == path
        else:
            assert item_id.split("-")[0] == sha256(data)
            expected[sha256(data)] += 1
    for digest, count in expected.items():
        counted = [digest, *(f"{digest}-{number}" for number in range(2, count + 2))]
        free = [name for name in counted if name not in paths or paths.count(name) > 1]
        assert {name for name in ids if name.split("-")[0] == digest} - set(paths) == set(free[:count]) - set(
            paths
        )


def test_only_row_groups_with_unnamed_images_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [(b"%d" % row, "" if row in (3, 10) else f"{row}.png") for row in range(12)]
    dataset = write(tmp_path, train=images)
    whole = item_ids(dataset)["train"]
    table = pq.read_table(dataset.files["train"][0])
    pq.write_table(table, dataset.files["train"][0], row_group_size=2)
    read: list[int] = []
    original = RowGroup.images

    def images_of(group: RowGroup) -> list[bytes]:
        read.append(group.first_row)
        return original(group)

    monkeypatch.setattr(RowGroup, "images", images_of)
    assert item_ids(dataset)["train"] == whole
    assert read == [2, 10]
    assert whole[3] == sha256(b"3")


def test_shards_with_and_without_paths_are_one_split(tmp_path: Path) -> None:
    write(tmp_path, train=[(A, "a")])
    bare = pa.array([{"bytes": B}, {"bytes": C}], pa.struct([("bytes", pa.binary())]))
    nulls = pa.array([{"bytes": b"d", "path": None}, None], IMAGE)
    (tmp_path / "train.parquet").rename(tmp_path / "train-00000-of-00003.parquet")
    for number, column in ((1, bare), (2, nulls)):
        table = pa.table({"image": column, "label": pa.array([0, 0], pa.int32())})
        pq.write_table(table, tmp_path / f"train-0000{number}-of-00003.parquet")
    ids = item_ids(Dataset.open(tmp_path))["train"]
    assert ids == ["a", sha256(B), sha256(C), sha256(b"d"), sha256(b"")]


def test_paths_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    write(tmp_path, train=[(A, "a")])
    path = pa.array([b"\xff"], pa.binary()).view(pa.string())  # said to be text, and is none
    column = pa.StructArray.from_arrays([pa.array([A], pa.binary()), path], ["bytes", "path"])
    pq.write_table(
        pa.table({"image": column, "label": pa.array([0], pa.int32())}), tmp_path / "train.parquet"
    )
    with pytest.raises(TaxohashError, match="cannot be read as Parquet") as refused:
        item_ids(Dataset.open(tmp_path))
    assert "\n" not in str(refused.value)
