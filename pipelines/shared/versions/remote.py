"""Where DVC keeps the bytes of data versions, read without DVC and without git.

    ADDRESS/files/md5/7c/9c….dir      a version: the JSON list of {"md5", "relpath"} of its files
    ADDRESS/files/md5/ab/cdef…        a file, by the md5 of its bytes

That is how `dvc push` lays out a remote, and DVC's own cache as well. DVC itself would take seconds to import, keeps state
in a repository, and logs its errors instead of raising them.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from services.codestore.places import Place
from taxohash.datasets.identity import listing_md5
from taxohash.errors import TaxohashError

_MD5 = re.compile(r"[0-9a-f]{32}")
_VERSION = re.compile(r"[0-9a-f]{32}\.dir")
_LISTING_BYTES = 256 << 20
_SECONDS = 24 * 3600.0  # for one file, however large; a server that falls silent is given up after 20 s


class Remote:
    """The objects of a remote, by the md5 of their bytes.

    Raises (every method):
        StoreUnavailableError: no such bucket, wrong keys, no permission, no answer.
    """

    def __init__(self, address: str) -> None:
        """
        Args:
            address: a folder, or s3://bucket/prefix, with keys and server as the AWS tools take them.

        Raises:
            TaxohashError: it is no such address, or there is no such folder.
        """
        if not address.strip():
            raise TaxohashError("no DVC remote is named: give a folder, or s3://bucket/prefix")
        self._place = Place.open(address, "DVC remote", _SECONDS)

    @property
    def address(self) -> str:
        """Where it is, without secrets."""
        return self._place.address

    def listing(self, md5: str) -> bytes:
        """The JSON list of a version's files.

        Raises:
            TaxohashError: the remote does not have it, or damaged.
        """
        data = self._place.read(object_name(md5), _LISTING_BYTES)
        if data is None:
            raise self._missing(md5)
        self._check(md5, hashlib.md5(data).hexdigest())
        return data

    def size(self, md5: str) -> int:
        """Bytes of an object.

        Raises:
            TaxohashError: the remote does not have it.
        """
        entry = self._place.entry(object_name(md5))
        if entry is None or not entry.is_file:
            raise self._missing(md5)
        return entry.size

    def fetch(self, md5: str, file: Path, told: Callable[[int], None] = lambda size: None) -> None:
        """Copy an object into a file.

        Args:
            told: see `Place.fetch`.

        Raises:
            TaxohashError: the remote does not have it, or damaged, or the file cannot be written.
        """
        if not self._place.fetch(object_name(md5), file, told):
            raise self._missing(md5)
        self._check(md5, file_md5(file))

    def _missing(self, md5: str) -> TaxohashError:
        return TaxohashError(
            f"{self.address} does not have {object_name(md5)}: `dvc push` it where it was made, or name the remote that has it"
        )

    def _check(self, md5: str, found: str) -> None:
        if found != md5.removesuffix(".dir"):
            raise TaxohashError(
                f"{object_name(md5)} in {self.address} is damaged (its md5 is {found}): "
                "remove it there, and `dvc push` it where it was made"
            )


def object_name(md5: str) -> str:
    """The name of an object below a remote's address."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def check_version(md5: str) -> None:
    """Refuse what is no directory md5.

    Raises:
        TaxohashError: it is none.
    """
    if not _VERSION.fullmatch(md5):
        raise TaxohashError(f"{md5!r} is no data version: give the md5 in data.dvc, 32 hex digits and .dir")


def files_of(listing: bytes, md5: str) -> dict[str, str]:
    """The files of a version: the md5 of each relative path.

    Raises:
        TaxohashError: it is no such list, or not as DVC writes it, so that no folder has this md5; or a path leads out of the
            folder.
    """
    try:
        files = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(listing)}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise TaxohashError(f"data version {md5} is no list of files: make it with `dvc add`") from None
    for path, digest in files.items():
        if not _names_a_file_below(path) or not _MD5.fullmatch(digest):
            raise TaxohashError(
                f"data version {md5} holds {path!r} as {digest!r}: make it with `dvc add` of a folder"
            )
    if listing_md5(files) != md5:
        raise TaxohashError(f"data version {md5} does not list its files as DVC does: make it with `dvc add`")
    return files


def _names_a_file_below(path: str) -> bool:
    """Whether a relative path names a file in the folder, in the one way that there is, and as a file system can."""
    found = PurePosixPath(path)
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        return False
    ours = bool(found.parts) and not found.is_absolute() and ".." not in found.parts
    return ours and str(found) == path and b"\0" not in name


def file_md5(file: Path) -> str:
    """md5 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
