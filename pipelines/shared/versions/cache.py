"""Data versions on this machine, each a folder, whole and verified.

    HOME/7c9c…/                  a version
    HOME/files/md5/ab/cdef…      its files, hard links to the same bytes, so that versions share what they have in common

Every pull reads what it returns and compares it with the md5; what is damaged is fetched again. All of it can be removed
at any time.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.shared.versions.remote import Remote, check_version, file_md5, files_of, object_name
from taxohash.datasets.identity import directory_md5
from taxohash.errors import TaxohashError
from taxohash.runtime.alone import alone
from taxohash.runtime.atomic import drafting, place, replacing, writable
from taxohash.runtime.progress import announce, bars

_SPARE_BYTES = 64 << 20  # left free on the disk


def pull(md5: str, remote: str, home: Path) -> Path:
    """The folder of a data version, which comes out of a DVC remote if it is not there, or not whole.

    What was interrupted goes on with the next file. Of two pulls at once, one waits.

    Args:
        md5: of the directory, as data.dvc names it, e.g. '7c9c….dir'.
        remote: a folder, or s3://bucket/prefix, with keys and server as the AWS tools take them (AWS_ACCESS_KEY_ID,
            AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION, profiles).
        home: folder that keeps versions.

    Raises:
        TaxohashError: the remote cannot be used, does not have the version, or damaged; or there is no space for it.
    """
    check_version(md5)
    folder = home / md5.removesuffix(".dir")
    if not _holds(folder, md5):
        with _alone(writable(home)):
            if not _holds(folder, md5):  # the one that we waited for may have brought it
                _build(folder, _bring(md5, Remote(remote), home), home)
    with suppress(OSError):
        folder.touch()  # it is in use: what is not for long may be removed
    return folder


def _bring(md5: str, remote: Remote, home: Path) -> dict[str, str]:
    """Have every file of a version below `home`; the md5 of each relative path."""
    listing = home / object_name(md5)
    if not _is(listing, md5.removesuffix(".dir")):
        data = remote.listing(md5)
        with replacing(listing, 0o444) as draft:
            draft.write_bytes(data)
    files = files_of(listing.read_bytes(), md5)
    lacking = [
        digest for digest in dict.fromkeys(files.values()) if not _is(home / object_name(digest), digest)
    ]
    if lacking:
        _fetch(lacking, remote, home)
    return files


def _fetch(digests: list[str], remote: Remote, home: Path) -> None:
    sizes = {
        digest: remote.size(digest) for digest in digests
    }  # one that is missing is told before any is fetched
    total, free = sum(sizes.values()), shutil.disk_usage(home).free
    if total + _SPARE_BYTES > free:
        raise TaxohashError(
            f"{home} has {free / 1e6:,.0f} MB free, and {total / 1e6:,.0f} MB are to be fetched: free some space, "
            "or choose another folder"
        )
    announce(f"fetching {len(sizes)} files, {total / 1e6:,.1f} MB, from {remote.address}")
    with bars() as progress:
        task = progress.add_task("bytes of data", total=total, note="")
        done = 0
        for digest, size in sizes.items():
            with replacing(home / object_name(digest), 0o444) as draft:
                remote.fetch(digest, draft, lambda part: progress.update(task, advance=part))
            done += size
            progress.update(task, completed=done)


def _build(folder: Path, files: dict[str, str], home: Path) -> None:
    with drafting(home) as draft:
        for path, digest in files.items():
            file = draft / path
            file.parent.mkdir(parents=True, exist_ok=True)
            _link(home / object_name(digest), file)
        place(draft, folder)


def _link(source: Path, file: Path) -> None:
    try:
        os.link(source, file)
    except OSError:  # a file system without links, or with too many of one file
        shutil.copyfile(source, file)


def _holds(folder: Path, md5: str) -> bool:
    """Whether a folder is the version, byte for byte."""
    with suppress(TaxohashError):  # a part of it cannot be read
        return folder.is_dir() and directory_md5(folder) == md5
    return False


def _is(file: Path, md5: str) -> bool:
    with suppress(OSError):
        return file_md5(file) == md5
    return False


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """While nobody else pulls into `home`; what was left by those that were killed is removed."""
    with alone(home / ".lock", f"another process fetches data into {home}: waiting for it"):
        for left in (*home.glob(".draft-*"), *home.glob("files/md5/*/.*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
