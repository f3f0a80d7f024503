"""A data set is a folder: taxonomy.json and one Parquet table, or several shards, a split."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxohash.datasets.identity import directory_md5
from taxohash.datasets.progress import track
from taxohash.errors import TaxohashError
from taxohash.images import Pixels, Preprocessing, decode, to_array
from taxohash.taxonomy import Labels, Taxonomy

_FILE = re.compile(r"(?P<split>\w[\w.-]*?)(-(?P<shard>\d{5})-of-(?P<shards>\d{5}))?\.parquet")
_USUAL_ORDER = ("train", "val", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """An opened data set folder; tables are read when asked for.

    Attributes:
        folder: where it lies.
        taxonomy: of its labels.
        files: the Parquet files of each split, in the order of their shards.
    """

    folder: Path
    taxonomy: Taxonomy
    files: dict[str, tuple[Path, ...]] = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> "Dataset":
        """Open a folder in the layout above.

        Raises:
            TaxohashError: no such folder, no taxonomy, no split, a missing shard.
        """
        path = Path(folder)
        if not path.is_dir():
            raise TaxohashError(f"data set {path} is not a folder: make it with `taxohash data prepare`")
        return cls(path, Taxonomy.load(path), _split_files(path))

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: train, val, test, then others by name."""
        return tuple(self.files)

    def md5(self) -> str:
        """The data set's identity: the directory md5 of its bytes, as DVC computes it."""
        return directory_md5(self.folder)

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return sum(table.metadata.num_rows for table in self._tables(split))

    @property
    def multi_label(self) -> bool:
        """Whether an image has a set of labels rather than one."""
        return "labels" in self._tables(self.splits[0])[0].schema_arrow.names

    def labels(self, split: str) -> Labels:
        """int32[N]: the label of every image.

        Raises:
            TaxohashError: no such split, a multi-label set, or a label outside the taxonomy.
        """
        if self.multi_label:
            raise TaxohashError(f"data set {self.folder} has several labels an image: ask for label_sets")
        column = self._column(split, "label")
        labels: Labels = column.to_numpy().astype(np.int32)
        self._check_labels(split, labels)
        return labels

    def label_sets(self, split: str) -> list[Labels]:
        """The labels of every image as one int32 array each; works on single-label sets as well.

        Raises:
            TaxohashError: no such split, or a label outside the taxonomy.
        """
        if not self.multi_label:
            return list(self.labels(split)[:, None])
        column = self._column(split, "labels").combine_chunks()
        flat: Labels = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.int32)
        self._check_labels(split, flat)
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        return np.split(flat, np.cumsum(lengths)[:-1])

    def names(self, split: str) -> list[str]:
        """A name for every image: the path in its row, or split/row where it has none."""
        paths = pc.struct_field(self._column(split, "image"), "path").to_pylist()
        return [path or f"{split}/{row:05d}" for row, path in enumerate(paths)]

    def images(
        self, split: str, rows: Sequence[int] | npt.NDArray[np.integer] | None = None
    ) -> Iterator[bytes]:
        """The encoded bytes of every image of a split, or of some rows in the order asked for.

        Only the row groups needed are held in memory.

        Raises:
            TaxohashError: no such split, no such row, or a table without images.
        """
        tables = self._tables(split)
        if rows is None:
            return (data for table in tables for data in _all_bytes(table))
        return iter(self._some_bytes(split, tables, np.asarray(rows, np.int64)))

    def pixels(self, split: str, preprocessing: Preprocessing, *, progress: bool = True) -> Pixels:
        """uint8[N, C, H, W]: every image of a split, decoded and preprocessed.

        Raises:
            TaxohashError: no such split, or an image that cannot be decoded; names its row.
        """
        array = np.empty((self.count(split), *preprocessing.shape), np.uint8)
        images = track(self.images(split), len(array), f"decoding {split}", shown=progress)
        for row, data in enumerate(images):
            try:
                array[row] = to_array(decode(data), preprocessing)
            except TaxohashError as error:
                raise TaxohashError(f"row {row} of {split} in {self.folder}: {error}") from None
        return array

    # -- reading -------------------------------------------------------------------------------

    def _tables(self, split: str) -> list[pq.ParquetFile]:
        if split not in self.files:
            raise TaxohashError(
                f"data set {self.folder} has no split {split!r}: choose one of {', '.join(self.splits)}"
            )
        return [_open_table(file) for file in self.files[split]]

    def _column(self, split: str, name: str) -> "pa.ChunkedArray[Any]":
        columns = []
        for table in self._tables(split):
            if name not in table.schema_arrow.names:
                raise TaxohashError(
                    f"split {split} of {self.folder} has no column {name!r}: see `taxohash data check`"
                )
            columns += table.read(columns=[name]).column(name).chunks
        return pa.chunked_array(columns)

    def _check_labels(self, split: str, labels: Labels) -> None:
        outside = labels[(labels < 0) | (labels >= len(self.taxonomy))]
        if outside.size:
            raise TaxohashError(
                f"split {split} of {self.folder} has the label {outside[0]} but its taxonomy only 0 to {len(self.taxonomy) - 1}: repair one"
            )

    def _some_bytes(
        self, split: str, tables: list[pq.ParquetFile], rows: npt.NDArray[np.int64]
    ) -> list[bytes]:
        groups = [(table, group) for table in tables for group in range(table.metadata.num_row_groups)]
        starts = np.cumsum([0] + [table.metadata.row_group(group).num_rows for table, group in groups])
        outside = rows[(rows < 0) | (rows >= starts[-1])]
        if outside.size:
            raise TaxohashError(
                f"split {split} of {self.folder} has no row {outside[0]}: it has {starts[-1]}"
            )
        found = [b""] * len(rows)
        group_of_row = np.searchsorted(starts, rows, side="right") - 1
        for index in np.unique(group_of_row):
            table, group = groups[index]
            column = pc.struct_field(table.read_row_group(group, columns=["image"]).column("image"), "bytes")
            for position in np.flatnonzero(group_of_row == index):
                found[position] = column[int(rows[position] - starts[index])].as_py()
        return found


def _all_bytes(table: pq.ParquetFile) -> Iterator[bytes]:
    for batch in table.iter_batches(batch_size=1024, columns=["image"]):
        yield from pc.struct_field(batch.column(0), "bytes").to_pylist()


def _open_table(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TaxohashError(
            f"{file} cannot be read as Parquet ({reason}): fetch or prepare the data set again"
        ) from None


def _split_files(folder: Path) -> dict[str, tuple[Path, ...]]:
    found: dict[str, list[re.Match[str]]] = {}
    for file in sorted(folder.glob("*.parquet")):
        if match := _FILE.fullmatch(file.name):
            found.setdefault(match["split"], []).append(match)
    if not found:
        raise TaxohashError(f"data set {folder} has no split: put at least one NAME.parquet into it")
    for split, matches in found.items():
        expected = [f"{i:05d}" for i in range(int(matches[0]["shards"] or 1))]
        if [match["shard"] or "00000" for match in matches] != expected:
            names = ", ".join(match.string for match in matches)
            raise TaxohashError(
                f"split {split!r} of {folder} has not each of its shards once ({names}): fetch it again"
            )
    order = sorted(
        found, key=lambda s: (_USUAL_ORDER.index(s) if s in _USUAL_ORDER else len(_USUAL_ORDER), s)
    )
    return {split: tuple(folder / match.string for match in found[split]) for split in order}
