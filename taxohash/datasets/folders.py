"""Folders that exist complete or not at all, and the cache of what was downloaded."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taxohash.errors import TaxohashError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder that gets its name only when the block ends well; otherwise nothing is left.

    Raises:
        TaxohashError: `out` exists and is not empty, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TaxohashError(f"{out} exists already: remove it or name another folder")
    partial = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                with file.open("rb+") as stream:
                    os.fsync(stream.fileno())
        partial.chmod(0o755)
        partial.replace(out)
    except OSError as error:
        raise TaxohashError(
            f"{out} cannot be written ({error.strerror or error}): free some space or name another folder"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """The cache's folder of this name; when it is not there yet, `fill` gets a new one to put files into.

    The cache is $TAXOHASH_CACHE, or taxohash in $XDG_CACHE_HOME or ~/.cache. It can be deleted at any time.
    """
    root = (
        os.environ.get("TAXOHASH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "taxohash"
    )
    folder = Path(root).expanduser() / name
    if not folder.is_dir():
        with new_folder(folder) as partial:
            fill(partial)
    return folder
