"""Files and folders that are either whole or absent."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taxohash.errors import TaxohashError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes otherwise.

    Raises:
        TaxohashError: no space, or no permission to write there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from None
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.chmod(0o644)
        os.replace(draft, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


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


def write_json(path: Path, data: Any) -> None:
    """Write JSON, indented, whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON; `remedy` ends the error's sentence.

    Raises:
        TaxohashError: absent, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaxohashError(f"{path} cannot be read ({error.strerror}): {remedy}") from None
    except ValueError as error:
        raise TaxohashError(f"{path} is not JSON ({error}): {remedy}") from None


def _unwritable(path: Path, error: OSError) -> TaxohashError:
    # NumPy's tofile gives no number, only that less was written than asked.
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None)
    remedy = "free some space" if full else "choose a place that can be written"
    return TaxohashError(f"{path} cannot be written ({error.strerror or error}): {remedy}")
