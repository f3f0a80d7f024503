"""Any bytes as a shard of a split, beside a sound one and a sound taxonomy."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.ids import item_ids
from taxohash.datasets.shape import picture_shape
from taxohash.datasets.writer import Row, write_split
from taxohash.images import Preprocessing
from tests.support.outcome import answer
from tests.support.tiny import TAXONOMY, tiny_rows

MEMORY = 1024
WORDS = (
    b"PAR1", b"PARE", b"image", b"bytes", b"path", b"label", b"labels", b"list", b"element", b"item", b"schema", b"ARROW:schema",
    b"huggingface", b"\x15\x00", b"\x15\x02", b"\x15\x0c", b"\x15\x0e", b"\x18\x04", b"\x19\x1c", b"\x26\x08", b"\x00\x00",
    b"\xff\xff\xff\xff\x0f", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
TRAIN, SHARDS = "train", ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet")
PREPROCESSING = Preprocessing(8, 1, "pad", (0.0,), (1.0,))
_ROWS = tiny_rows("test")


def seeds() -> Iterator[bytes]:
    """Labelled by one, by sets and not at all; in row groups; as other writers make them, compressed and plain."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seed.parquet"
        for labels in ([1, 2, 0], [[0, 2], [], [1]], [None] * 3):
            rows = [Row(row.image, row.name, label) for row, label in zip(_ROWS, labels, strict=False)]
            write_split(file, rows)
            yield file.read_bytes()
            table = pq.read_table(file)
            for options in (
                {"compression": "none", "use_dictionary": False, "row_group_size": 2},
                {"compression": "snappy", "data_page_version": "2.0"},
                {"compression": "none", "store_schema": False, "write_statistics": False},
            ):
                yield _written(table, options)
    foreign = pa.array([{"bytes": b"x"}, None], pa.struct([("bytes", pa.large_binary())]))
    yield _written(
        pa.table({"image": foreign, "label": pa.array([0, 1], pa.int32())}), {"compression": "none"}
    )


def attempt(data: bytes, folder: Path) -> None:
    """What is read of one split, in whatever way, has as many rows as it says, and sound labels."""
    if not (folder / "taxonomy.json").exists():
        TAXONOMY.save(folder / "taxonomy.json")
        write_split(folder / SHARDS[1], _ROWS[:2])
    (folder / SHARDS[0]).write_bytes(data)
    dataset = Dataset.open(folder)
    counted = answer(lambda: dataset.count(TRAIN))
    answer(lambda: dataset.label_column(TRAIN))
    images = answer(lambda: list(dataset.images(TRAIN)))
    paths = answer(lambda: dataset.paths(TRAIN))
    sets = answer(lambda: dataset.label_sets(TRAIN))
    for found in (images, paths, sets):
        assert found is None or len(found) == counted
    if (labels := answer(lambda: dataset.labels(TRAIN))) is not None:
        assert sets is not None
        assert labels.dtype == np.int32
        assert labels.tolist() == [own for (own,) in sets]
    if sets is not None:
        assert all(0 <= label < len(TAXONOMY) for own in sets for label in own)
        hot = dataset.multi_hot(TRAIN)
        assert [set(np.flatnonzero(row)) for row in hot] == [set(own.tolist()) for own in sets]
    if images is not None:
        assert answer(lambda: list(dataset.images(TRAIN, [len(images) - 1, 0]))) == [images[-1], images[0]]
    if (ids := answer(lambda: item_ids(dataset))) is not None:
        assert paths is not None
        assert len(set(ids[TRAIN])) == counted
    answer(lambda: picture_shape(dataset, TRAIN))
    pixels = answer(lambda: dataset.pixels(TRAIN, PREPROCESSING, progress=False))
    assert pixels is None or pixels.shape == (counted, 1, 8, 8)
    verdict = check(folder, progress=False)
    for finding in verdict.findings:
        assert len(finding.text.splitlines()) == 1
    assert not verdict.ok or pixels is not None, "sound, and not to be read"


def _written(table: pa.Table, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()
