"""The identity of a data set folder: the directory md5 that DVC writes into a .dvc file."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from taxohash.datasets.dvcignore import tracked_files
from taxohash.errors import TaxohashError


class TrackedFile(NamedTuple):
    """A file as DVC keeps it: by the md5 of its bytes, of which there are `size`."""

    md5: str
    size: int


def directory_md5(folder: Path) -> str:
    """md5 of a folder's content as `dvc add` computes it, e.g. '7c9c….dir'.

    It is the md5 of the JSON list of {md5, relpath} over the files that DVC does not ignore, ordered by relative path
    (dvc-data's tree object). Names count, times and modes do not.

    Raises:
        TaxohashError: a file, a folder or a .dvcignore cannot be read, or is where DVC takes none.
    """
    return tracked_md5(tracked(folder))


def tracked(folder: Path) -> dict[str, TrackedFile]:
    """The files of a folder that DVC does not ignore, by their paths relative to it; each is read once.

    Raises:
        TaxohashError: as `directory_md5`.
    """
    top = Path(os.path.abspath(folder))
    return {file.relative_to(top).as_posix(): _tracked(file) for file in tracked_files(top)}


def tracked_md5(files: Mapping[str, TrackedFile]) -> str:
    """The md5 of a folder with these files."""
    return listing_md5({path: file.md5 for path, file in files.items()})


def listing_md5(files: Mapping[str, str]) -> str:
    """The same of the md5 of each relative path."""
    return hashlib.md5(listing(files)).hexdigest() + ".dir"


def listing(files: Mapping[str, str]) -> bytes:
    """The bytes of the list itself, which DVC keeps as a file of its own."""
    entries = [{"md5": digest, "relpath": path} for path, digest in sorted(files.items())]
    return json.dumps(entries, sort_keys=True).encode()


def _tracked(file: Path) -> TrackedFile:
    try:
        if file.exists() and not file.is_file():
            raise TaxohashError(f"{file} is a pipe, a socket or a device, not a file: remove it")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "md5").hexdigest()
            return TrackedFile(digest, stream.tell())
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): mend or remove it") from None
