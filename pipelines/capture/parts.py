"""Pictures on their way from their store into a data set: kept on disk by their digest, so that what was interrupted goes on.

FOLDER/part-00000.parquet ...    some pictures each, unlabelled; the path of one is "DIGEST PIXELS"
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from taxohash.datasets.layout import IMAGE, image_bytes, plain_errors, read_paths, schema
from taxohash.runtime.atomic import replacing, writable

PART_BYTES = 64 << 20


class Picture(NamedTuple):
    """A picture: sha256 of its bytes and digest of its pixels, in hex, and the bytes."""

    digest: str
    pixels: str
    data: bytes


class Parts:
    """The pictures in a folder.

    Attributes:
        pixels: the digest of the pixels of each picture that is there, by its own.

    Raises (every method):
        TaxohashError: the folder cannot be written, or a file in it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = writable(folder)
        for draft in folder.glob(".part-*"):  # of one that was killed
            draft.unlink()
        self._files = sorted(folder.glob("part-*.parquet"))
        named = (_named(path) for file in self._files for path in read_paths(file))
        self.pixels: dict[str, str] = dict(named)

    def add(self, pictures: Iterable[Picture]) -> None:
        """Keep pictures, each once; a part of them is in memory, and kept too where what gives them fails or is interrupted."""
        part: list[Picture] = []
        size = 0
        try:
            for picture in pictures:
                part.append(picture)
                size += len(picture.data)
                if size >= PART_BYTES:
                    self._write(part)
                    part, size = [], 0
        finally:
            if part:
                self._write(part)

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """Digest and bytes of all pictures, in the order in which they were added; a row group is in memory."""
        for file in self._files:
            digests = [_named(path)[0] for path in read_paths(file)]
            with plain_errors(file):
                table, done = pq.ParquetFile(file), 0
                for group in range(table.metadata.num_row_groups):
                    images = image_bytes(table.read_row_group(group, columns=["image"]).column(0))
                    yield from zip(digests[done : done + len(images)], images, strict=True)
                    done += len(images)

    def _write(self, part: list[Picture]) -> None:
        file = self._folder / f"part-{len(self._files):05d}.parquet"
        with replacing(file) as draft:
            rows = [{"bytes": one.data, "path": f"{one.digest} {one.pixels}"} for one in part]
            table = pa.table([pa.array(rows, IMAGE)], schema=schema(None))
            pq.write_table(
                table, draft, compression="none", use_dictionary=False, write_statistics=False
            )  # for a while, and pictures are compressed
        self._files.append(file)
        self.pixels |= {one.digest: one.pixels for one in part}


def _named(path: str) -> tuple[str, str]:
    digest, _, pixels = path.partition(" ")
    return digest, pixels
