"""Write a data set folder (contract: taxonomy.json and one Parquet table a split), byte for byte the same everywhere."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from taxohash.datasets.layout import IMAGE, schema
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import new_folder
from taxohash.taxonomy import Taxonomy

ROWS_A_GROUP = 2_000


class Row(NamedTuple):
    """One image: its encoded bytes, a name that tells where it comes from, and its label or set of labels."""

    image: bytes
    name: str
    label: int | Sequence[int]


def write_split(file: Path, rows: Iterable[Row], multi_label: bool = False) -> int:
    """Write one split and return its number of rows.

    Every setting is fixed, so that the bytes depend on the rows and the pinned pyarrow alone.
    """
    columns = schema(multi_label)
    remaining, count = iter(rows), 0
    with pq.ParquetWriter(
        file,
        columns,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=9,
        use_dictionary=False,
        write_statistics=False,
        store_schema=True,
    ) as writer:
        while group := list(islice(remaining, ROWS_A_GROUP)):
            images = pa.array([{"bytes": row.image, "path": row.name} for row in group], IMAGE)
            labels = pa.array([row.label for row in group], columns.field(1).type)
            writer.write_table(
                pa.Table.from_arrays([images, labels], schema=columns), row_group_size=ROWS_A_GROUP
            )
            count += len(group)
    return count


def write_dataset(out: Path, taxonomy: Taxonomy, splits: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """Write a whole single-label data set; `out` appears complete or not at all.

    Raises:
        TaxohashError: `out` exists, a split has no rows, or the disk is full.
    """
    with new_folder(out) as folder:
        taxonomy.save(folder / "taxonomy.json")
        for split, rows in splits:
            if write_split(folder / f"{split}.parquet", rows) == 0:
                raise TaxohashError(
                    f"split {split!r} of {taxonomy.name!r} has no rows: give it images or leave it out"
                )
