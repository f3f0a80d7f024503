"""CIFAR-100: 60,000 photographs of 100 classes in 20 superclasses, 32 x 32 RGB (Krizhevsky 2009).

The images come from the official binary archive, as a file or under a URL; the other official archives hold pickles,
which run code when they are read. The archive is read where it lies, never unpacked, and only if it has the md5
that the author publishes. A record of it is a byte for the superclass, a byte for the class, and the planes of red, green and
blue, row by row.
"""

import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from taxohash.datasets.named.download import download
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import console, track
from taxohash.taxonomy import Taxonomy

ARCHIVE = "cifar-100-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "03b5dce01913d631647c71ecec9e9cb8"
SPLITS = ("train", "test")
SIDE = 32
RECORD = 2 + 3 * SIDE * SIDE  # bytes
# The members that are read, and how large each may be.
LARGEST = {
    "cifar-100-binary/train.bin": 50_000 * RECORD,
    "cifar-100-binary/test.bin": 10_000 * RECORD,
    "cifar-100-binary/coarse_label_names.txt": 1 << 16,
    "cifar-100-binary/fine_label_names.txt": 1 << 16,
}

Bytes = npt.NDArray[np.uint8]


def prepare(out: Path, source: str | None = None) -> None:
    """Write the data set folder `out`.

    Args:
        out: must not exist.
        source: file or URL of the binary archive; the official URL when not given.

    Raises:
        TaxohashError: the archive cannot be had, is not the official one or is damaged; `out` exists.
    """
    members = _official_members(source or URL)
    records = {
        split: np.frombuffer(members[f"cifar-100-binary/{split}.bin"], np.uint8).reshape(-1, RECORD)
        for split in SPLITS
    }
    coarse_names, fine_names = (
        members[f"cifar-100-binary/{level}_label_names.txt"].decode().split() for level in ("coarse", "fine")
    )
    taxonomy = Taxonomy(
        name="cifar100",
        level_names=("superclass", "class"),
        paths=paths(np.concatenate([found[:, :2] for found in records.values()]), coarse_names, fine_names),
        source="CIFAR-100 (Krizhevsky 2009), binary version, official split and order",
        licence="none stated by the author; cite Krizhevsky 2009",
    )
    write_dataset(out, taxonomy, ((split, _rows(split, records[split])) for split in SPLITS))


def paths(labels: Bytes, coarse_names: list[str], fine_names: list[str]) -> tuple[tuple[str, ...], ...]:
    """The path of every class, in the order of the fine labels: the file of names does not say what belongs where.

    Args:
        labels: uint8[N, 2], superclass and class of every image.
        coarse_names, fine_names: of superclasses and classes.

    Raises:
        TaxohashError: a class that is not in one superclass.
    """
    found = []
    for fine, name in enumerate(fine_names):
        owners = np.unique(labels[labels[:, 1] == fine, 0])
        if len(owners) != 1:
            raise TaxohashError(
                f"{ARCHIVE} has images of {name} in {len(owners)} superclasses: they must be in one"
            )
        found.append((coarse_names[owners[0]], name))
    return tuple(found)


def _rows(split: str, records: Bytes) -> Iterator[Row]:
    for row, record in enumerate(track(records, len(records), f"writing {split}")):
        image = record[2:].reshape(3, SIDE, SIDE).transpose(1, 2, 0)
        yield Row(encode_png(image), f"{split}/{row:05d}.png", int(record[1]))


def _official_members(source: str) -> dict[str, bytes]:
    if "://" not in source:
        return _members(Path(source))
    with tempfile.TemporaryDirectory() as scratch:
        with console.status(f"downloading {source}"):
            download(source, Path(scratch) / ARCHIVE)
        return _members(Path(scratch) / ARCHIVE)


def _members(file: Path) -> dict[str, bytes]:
    """The members of the archive that are needed, once it is known to be the official one."""
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
            if found != MD5:
                raise TaxohashError(
                    f"{file.name} has md5 {found}, not the official {MD5}: fetch {ARCHIVE} again, from {URL}"
                )
            stream.seek(0)
            return _read(stream)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise TaxohashError(f"{file} cannot be read ({error}): give {ARCHIVE} as a file or a URL") from None


def _read(stream: BinaryIO) -> dict[str, bytes]:
    members = {}
    with tarfile.open(fileobj=stream, mode="r:gz") as archive:
        for member in archive:
            if member.name not in LARGEST:
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None or member.size > LARGEST[member.name]:
                raise TaxohashError(
                    f"{member.name} of {ARCHIVE} is no file of at most {LARGEST[member.name]} bytes: fetch it again"
                )
            members[member.name] = content.read()
    if missing := [name for name in LARGEST if name not in members]:
        raise TaxohashError(f"{ARCHIVE} has no {missing[0]}: fetch it again")
    return members
