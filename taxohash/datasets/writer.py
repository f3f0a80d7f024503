"""Write a data set folder (contract: taxonomy.json and one Parquet table a split), byte for byte the same everywhere."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from taxohash.datasets.layout import IMAGE, LabelColumn, schema
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import new_folder
from taxohash.taxonomy import Taxonomy

ROWS_A_GROUP = 2_000
GROUP_BYTES = 64 << 20  # of encoded images; a group is written, and read, as a whole


class Row(NamedTuple):
    """One image: its encoded bytes, a name that tells where it comes from, and its label, set of labels or None."""

    image: bytes
    name: str
    label: int | Sequence[int] | None


def write_split(file: Path, rows: Iterable[Row]) -> int:
    """Write one split, labelled as its first row is, and return its number of rows.

    Every setting is fixed, so that the bytes depend on the rows and the pinned pyarrow alone.
    """
    remaining, count = iter(rows), 0
    first = list(islice(remaining, 1))
    remaining = chain(first, remaining)
    label_column = _label_column(first[0]) if first else "label"
    columns = schema(label_column)
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
        for group in _groups(remaining):
            arrays: list[pa.Array[Any]] = [
                pa.array([{"bytes": row.image, "path": row.name} for row in group], IMAGE)
            ]
            if label_column is not None:
                arrays.append(pa.array([row.label for row in group], columns.field(label_column).type))
            writer.write_table(pa.Table.from_arrays(arrays, schema=columns), row_group_size=ROWS_A_GROUP)
            count += len(group)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows that are written together."""
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row.image)
        if len(group) == ROWS_A_GROUP or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _label_column(row: Row) -> LabelColumn | None:
    if row.label is None:
        return None
    return "labels" if isinstance(row.label, Sequence) else "label"


def write_dataset(out: Path, taxonomy: Taxonomy, splits: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """Write a whole data set; `out` appears complete or not at all.

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
