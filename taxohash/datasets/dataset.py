"""A data set is a folder: taxonomy.json and one Parquet table, or several shards, a split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxohash.datasets.identity import directory_md5
from taxohash.datasets.layout import (
    LabelColumn,
    image_bytes,
    label_column,
    open_table,
    plain_errors,
    read_column,
    read_paths,
    split_files,
    whole,
)
from taxohash.datasets.png import decode_png
from taxohash.errors import TaxohashError
from taxohash.images import Pixels, Preprocessing, read_pixels
from taxohash.runtime.progress import track
from taxohash.taxonomy import Labels, Taxonomy

_ABSENT = pa.scalar(-1, pa.int32())


class RowGroup(NamedTuple):
    """A piece of a split: the group of that number in a file, the split's row it begins with, its length."""

    file: Path
    number: int
    first_row: int
    rows: int

    def images(self) -> list[bytes]:
        """The encoded images of the group.

        Raises:
            TaxohashError: the file is damaged.
        """
        with plain_errors(self.file):
            column = pq.ParquetFile(self.file).read_row_group(self.number, columns=["image"]).column(0)
            return image_bytes(whole(self.file, column, self.rows))


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
        return cls(path, Taxonomy.load(path), split_files(path))

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: train, val, test, then others by name."""
        return tuple(self.files)

    def md5(self) -> str:
        """The data set's identity: the directory md5 of its bytes, as DVC computes it."""
        return directory_md5(self.folder)

    def row_groups(self, split: str) -> list[RowGroup]:
        """The pieces in which a split can be read, in order.

        Raises:
            TaxohashError: no such split, or a file that is not Parquet or has other columns.
        """
        groups: list[RowGroup] = []
        first_row = 0
        for file in self._files(split):
            metadata = open_table(file).metadata
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group).num_rows
                groups.append(RowGroup(file, group, first_row, rows))
                first_row += rows
        return groups

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return sum(group.rows for group in self.row_groups(split))

    def label_column(self, split: str) -> LabelColumn | None:
        """How a split is labelled: `label`, one an image; `labels`, a set of them an image; or not at all.

        Raises:
            TaxohashError: no such split, or shards that are not labelled alike.
        """
        files = self._files(split)
        found = {label_column(open_table(file).schema_arrow): file.name for file in files}
        if len(found) > 1:
            raise TaxohashError(
                f"shards {' and '.join(found.values())} of {self.folder} are labelled differently: write them alike"
            )
        return next(iter(found))

    def labels(self, split: str) -> Labels:
        """int32[N]: the label of every image.

        Raises:
            TaxohashError: no such split, one without labels or with sets of them, or a label that is absent or
                outside the taxonomy.
        """
        if self.label_column(split) == "labels":
            raise TaxohashError(
                f"split {split} of {self.folder} has several labels an image: it needs a method for such"
            )
        return self._flat_labels(split)[0]

    def label_sets(self, split: str) -> list[Labels]:
        """The labels of every image as one int32 array each; works on single-label sets as well.

        Raises:
            TaxohashError: no such split, one without labels, or a label that is absent or outside the taxonomy.
        """
        flat, lengths = self._flat_labels(split)
        return np.split(flat, np.cumsum(lengths))[:-1]

    def item_labels(self, split: str) -> list[list[int]]:
        """The labels of every image as plain numbers; none of an image in a split without labels.

        Raises:
            TaxohashError: no such split, or a label that is absent or outside the taxonomy.
        """
        if self.label_column(split) is None:
            return [[]] * self.count(split)
        return [own.tolist() for own in self.label_sets(split)]

    def multi_hot(self, split: str) -> npt.NDArray[np.bool_]:
        """The labels of every image as bool[N, labels]; works on single-label sets as well.

        Raises:
            TaxohashError: see `label_sets`.
        """
        flat, lengths = self._flat_labels(split)
        sets = np.zeros((len(lengths), len(self.taxonomy)), np.bool_)
        sets[np.repeat(np.arange(len(lengths)), lengths), flat] = True
        return sets

    def paths(self, split: str) -> list[str]:
        """The path in every image's row, empty where it has none; the images themselves are not read.

        Raises:
            TaxohashError: no such split, or a file that is damaged or has other columns.
        """
        return [path for file in self._files(split) for path in read_paths(file)]

    def images(
        self, split: str, rows: Sequence[int] | npt.NDArray[np.integer] | None = None
    ) -> Iterator[bytes]:
        """The encoded bytes of every image of a split, or of some rows in the order asked for.

        Only the row groups needed are read.

        Raises:
            TaxohashError: no such split, no such row, or a damaged file.
        """
        groups = self.row_groups(split)
        if rows is None:
            return (data for group in groups for data in group.images())
        return iter(self._some_images(split, groups, np.asarray(rows, np.int64)))

    def pixels(
        self,
        split: str,
        preprocessing: Preprocessing,
        *,
        rows: Sequence[int] | None = None,
        progress: bool = True,
    ) -> Pixels:
        """uint8[N, C, H, W]: every image of a split, or of some rows of it, decoded and preprocessed.

        Raises:
            TaxohashError: no such split or row, or an image that cannot be decoded; names its row.
        """
        wanted = range(self.count(split)) if rows is None else rows
        array = np.empty((len(wanted), *preprocessing.shape), np.uint8)
        images = track(self.images(split, rows), len(array), f"decoding {split}", shown=progress)
        for place, (row, data) in enumerate(zip(wanted, images, strict=True)):
            try:
                array[place] = _pixels(data, preprocessing)
            except TaxohashError as error:
                raise TaxohashError(f"row {row} of {split} in {self.folder}: {error}") from None
        return array

    def _flat_labels(self, split: str) -> tuple[Labels, npt.NDArray[np.integer]]:
        """The labels of all images, one image after the other, and how many each has."""
        column = self.label_column(split)
        if column is None:
            raise TaxohashError(f"split {split} of {self.folder} has no labels: choose one that has")
        values: Any = self._column(split, column)
        lengths: npt.NDArray[np.integer] = np.ones(len(values), np.int32)
        if column == "labels":
            lengths = pc.list_value_length(values).fill_null(pa.scalar(0, pa.int32())).to_numpy()
            values = pc.list_flatten(values)
        flat: Labels = values.fill_null(_ABSENT).to_numpy()
        self._check_labels(split, flat, np.repeat(np.arange(len(lengths)), lengths))
        return flat, lengths

    def _check_labels(self, split: str, labels: Labels, rows: npt.NDArray[np.intp]) -> None:
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.taxonomy)))
        if wrong.size:
            raise TaxohashError(
                f"row {rows[wrong[0]]} of {split} in {self.folder} has the label {labels[wrong[0]]} "
                f"({wrong.size} such), the taxonomy 0 to {len(self.taxonomy) - 1}: repair one of them"
            )

    def _some_images(self, split: str, groups: list[RowGroup], rows: npt.NDArray[np.int64]) -> list[bytes]:
        ends = np.cumsum([group.rows for group in groups])
        total = int(ends[-1]) if groups else 0
        if rows.size and not 0 <= rows.min() <= rows.max() < total:
            raise TaxohashError(f"split {split} of {self.folder} has {total} rows: ask for rows of these")
        found = [b""] * len(rows)
        group_of = np.searchsorted(ends, rows, side="right")
        for index in np.unique(group_of):
            images = groups[index].images()
            for position in np.flatnonzero(group_of == index):
                found[position] = images[rows[position] - groups[index].first_row]
        return found

    def _files(self, split: str) -> tuple[Path, ...]:
        if split not in self.files:
            known = ", ".join(self.splits)
            raise TaxohashError(f"data set {self.folder} has no split {split!r}: choose one of {known}")
        return self.files[split]

    def _column(self, split: str, name: str) -> "pa.ChunkedArray[Any]":
        return pa.chunked_array(
            [chunk for file in self._files(split) for chunk in read_column(file, name).chunks]
        )


def _pixels(data: bytes, preprocessing: Preprocessing) -> Pixels:
    quick = decode_png(data)
    if quick is not None:
        quick = quick[None] if quick.ndim == 2 else quick.transpose(2, 0, 1)
        if quick.shape == preprocessing.shape:
            return quick
    return read_pixels(data, preprocessing)
