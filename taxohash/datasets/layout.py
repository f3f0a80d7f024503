"""How a split is laid out on disk: names of files, columns of tables, and reading them with plain errors."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxohash.errors import TaxohashError

# What the Hugging Face `datasets` library reads to give the column its Image feature.
FEATURES = json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_IMAGE_KINDS = {
    "bytes": (pa.types.is_binary, pa.types.is_large_binary),
    "path": (pa.types.is_string, pa.types.is_large_string, pa.types.is_null),
}
LabelColumn = Literal["label", "labels"]
_LABEL_COLUMNS = {"label": pa.int32(), "labels": pa.list_(pa.int32())}
_FILE = re.compile(r"(?P<split>\w[\w.-]*?)(-(?P<shard>\d{5})-of-(?P<shards>\d{5}))?\.parquet")
_USUAL_ORDER = ("train", "val", "validation", "test")


def schema(label_column: LabelColumn | None) -> pa.Schema:
    """The columns of a split: `image`, and `label`, or `labels` where an image has a set of them, or neither."""
    columns = {"image": IMAGE} | ({label_column: _LABEL_COLUMNS[label_column]} if label_column else {})
    return pa.schema(list(columns.items()), metadata={"huggingface": FEATURES})


def outside(out: Path, *datasets: Path) -> Path:
    """A place for what is made of data sets, which lies in none of them.

    Raises:
        TaxohashError: it lies inside one.
    """
    for dataset in datasets:
        if out.resolve().is_relative_to(dataset.resolve()):
            raise TaxohashError(
                f"{out} lies inside the data set {dataset} and would change its md5: choose another folder"
            )
    return out


def split_files(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The files of each split, in the order of their shards; train, val and test come first.

    Raises:
        TaxohashError: no split, a split that does not have each of its shards once, or one that is no file.
    """
    found: dict[str, list[re.Match[str]]] = {}
    for file in sorted(folder.glob("*.parquet")):
        if match := _FILE.fullmatch(file.name):
            if not file.is_file():  # a pipe would be waited for
                raise TaxohashError(f"{file} is no file: remove it or fetch it again")
            found.setdefault(match["split"], []).append(match)
    if not found:
        raise TaxohashError(f"data set {folder} has no split: put at least one NAME.parquet into it")
    for split, matches in found.items():
        expected = [f"{shard:05d}" for shard in range(int(matches[0]["shards"] or 1))]
        if [match["shard"] or "00000" for match in matches] != expected:
            names = ", ".join(match.string for match in matches)
            raise TaxohashError(
                f"split {split} of {folder} lacks a shard or mixes two ({names}): fetch it again"
            )
    usual = {split: position for position, split in enumerate(_USUAL_ORDER)}
    order = sorted(found, key=lambda split: (usual.get(split, len(usual)), split))
    return {split: tuple(folder / match.string for match in found[split]) for split in order}


def names_a_split(name: str) -> bool:
    """Whether a split can have this name: its file would be read as one of that split."""
    match = _FILE.fullmatch(f"{name}.parquet")
    return match is not None and match["split"] == name


def open_table(file: Path) -> pq.ParquetFile:
    """Open one file and make sure of its columns.

    Raises:
        TaxohashError: not Parquet, or other columns than `schema` gives.
    """
    with plain_errors(file):
        table = pq.ParquetFile(file)
        found = table.schema_arrow
        for field in schema(label_column(found)):
            places = found.get_all_field_indices(field.name)
            if len(places) > 1:
                raise TaxohashError(
                    f"{file} has the column {field.name} {len(places)} times: keep one of them"
                )
            kind = found.field(places[0]).type if places else "absent"
            if not _fits(kind, field.type):
                said = " ".join(str(kind).split())  # names in it may break the line
                raise TaxohashError(f"{file} has the column {field.name} as {said}: write it as {field.type}")
        groups = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        if sum(groups) != table.metadata.num_rows:
            raise _damaged(file, f"it says {table.metadata.num_rows} rows, in groups of {groups[:9]}")
    return table


def label_column(columns: pa.Schema) -> LabelColumn | None:
    """The column of a table that holds its labels, if it has one."""
    known: tuple[LabelColumn, ...] = ("labels", "label")
    return next((name for name in known if name in columns.names), None)


def read_column(file: Path, name: str) -> "pa.ChunkedArray[Any]":
    """One column of a file.

    Raises:
        TaxohashError: not Parquet, other columns than `schema` gives, or damaged.
    """
    table = open_table(file)
    if name not in table.schema_arrow.names:
        raise TaxohashError(f"{file} has no column {name!r}, unlike the split beside it: write both alike")
    with plain_errors(file):
        column = whole(file, table.read(columns=[name]).column(0), table.metadata.num_rows)
        return column if name == "image" else column.cast(_LABEL_COLUMNS[name])  # one type for all shards


def read_paths(file: Path) -> list[str]:
    """The path of every image in a file, empty where it has none.

    Raises:
        TaxohashError: not Parquet, other columns than `schema` gives, or paths that are no text.
    """
    table = open_table(file)
    kind = table.schema_arrow.field("image").type
    place = kind.get_field_index("path")
    if place < 0 or pa.types.is_null(kind.field(place).type):
        return [""] * table.metadata.num_rows
    with plain_errors(file):
        images = whole(file, table.read(columns=["image.path"]).column(0), table.metadata.num_rows)
        column: Any = pc.struct_field(images, "path").cast(pa.string())
        column.validate(full=True)
        return [path or "" for path in column.to_pylist()]


def whole(file: Path, column: "pa.ChunkedArray[Any]", rows: int) -> "pa.ChunkedArray[Any]":
    """The column that was read from a file, if it has as many rows as the file says.

    Raises:
        TaxohashError: it has not.
    """
    if len(column) != rows:
        raise _damaged(file, f"it says {rows} rows and has {len(column)}")
    return column


def image_bytes(column: "pa.ChunkedArray[Any] | pa.Array[Any]") -> list[bytes]:
    """The encoded images of an `image` column; empty where there is none."""
    return [data or b"" for data in pc.struct_field(column, "bytes").to_pylist()]


@contextmanager
def plain_errors(file: Path) -> Iterator[None]:
    """Turn what pyarrow raises on a damaged file into one line."""
    try:
        yield
    except TaxohashError:
        raise
    except Exception as error:  # pyarrow raises whatever its parsers meet
        reason = str(error) or type(error).__name__
        raise _damaged(file, reason.splitlines()[0]) from None


def _damaged(file: Path, reason: str) -> TaxohashError:
    return TaxohashError(f"{file} cannot be read as Parquet ({reason}): fetch it again")


def _fits(found: Any, wanted: Any) -> bool:
    if pa.types.is_struct(
        wanted
    ):  # other fields beside these, and their order, do no harm; the path may be absent
        return isinstance(found, pa.StructType) and all(
            any(fits(_plain(found.field(place).type)) for fits in kinds)
            if (place := found.get_field_index(name)) >= 0
            else name == "path" and not found.get_all_field_indices(name)
            for name, kinds in _IMAGE_KINDS.items()
        )
    if pa.types.is_list(wanted):  # the name of a list's items differs between writers
        return isinstance(found, pa.ListType) and found.value_type == wanted.value_type
    return bool(found == wanted)


def _plain(kind: Any) -> Any:
    """The type of the values of a column that may be encoded as a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
