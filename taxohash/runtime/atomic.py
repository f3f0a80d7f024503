"""Files that are either whole or absent."""

import errno
import json
import os
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
