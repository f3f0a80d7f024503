"""The identity of a data set folder: the directory md5 that DVC writes into a .dvc file."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from taxohash.datasets.dvcignore import tracked_files
from taxohash.errors import TaxohashError


def directory_md5(folder: Path) -> str:
    """md5 of a folder's content as `dvc add` computes it, e.g. '7c9c….dir'.

    It is the md5 of the JSON list of {md5, relpath} over the files that DVC does not ignore, ordered by relative path
    (dvc-data's tree object). Names count, times and modes do not.

    Raises:
        TaxohashError: a file, a folder or a .dvcignore cannot be read, or is where DVC takes none.
    """
    top = Path(os.path.abspath(folder))
    return listing_md5({file.relative_to(top).as_posix(): _md5(file) for file in tracked_files(top)})


def listing_md5(files: Mapping[str, str]) -> str:
    """The same of the md5 of each relative path."""
    entries = [{"md5": digest, "relpath": path} for path, digest in sorted(files.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def _md5(file: Path) -> str:
    try:
        if file.exists() and not file.is_file():
            raise TaxohashError(f"{file} is a pipe, a socket or a device, not a file: remove it")
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "md5").hexdigest()
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): mend or remove it") from None
