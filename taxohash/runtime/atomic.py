"""The one way to write files and folders: whole or not at all, on disk before they get their name."""

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taxohash.errors import TaxohashError


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes otherwise.

    Args:
        path: file to write.
        mode: its permissions. Until then nobody else may read it.

    Raises:
        TaxohashError: no space, or no permission to write there.
    """
    with _one_line(path):
        _make(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        draft = Path(name)
        try:
            yield draft
            _sync(draft)
            draft.chmod(mode)
            os.replace(draft, path)
            _sync(path.parent)
        finally:
            draft.unlink(missing_ok=True)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each whole or not at all, on disk when this returns. For many small ones: they reach the disk together.

    Raises:
        TaxohashError: no space, or no permission to write there.
    """
    drafts: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            with _one_line(path):
                _make(path.parent)
                drafts[path] = draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
                draft.write_bytes(data)
        os.sync()
        for path, draft in drafts.items():
            with _one_line(path):
                os.replace(draft, path)
        os.sync()
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


@contextmanager
def drafting(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` that vanishes when the block ends, unless `place` gave it a name.

    Raises:
        TaxohashError: no space, or no permission to write there.
    """
    with _one_line(parent), _draft(parent) as draft:
        yield draft


def place(draft: Path, out: Path) -> None:
    """Give a drafted folder its name beside it; a folder that has the name makes way.

    Raises:
        TaxohashError: no space, or no permission to write there.
    """
    with _one_line(out):
        for file in draft.rglob("*"):
            _sync(file)
        _sync(draft)
        draft.chmod(0o755)
        if out.exists():
            with _draft(out.parent) as aside:
                out.rename(aside / out.name)
                draft.rename(out)
        else:
            draft.rename(out)
        _sync(out.parent)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder that gets its name only when the block ends well; otherwise nothing is left.

    Raises:
        TaxohashError: `out` exists and is not empty, or cannot be written.
    """
    vacant(out)
    with _one_line(out), _draft(out.parent) as draft:
        yield draft
        place(draft, out)


def vacant(out: Path) -> None:
    """Make sure that a new folder can be made here, before the work that fills it.

    Raises:
        TaxohashError: as `new_folder`.
    """
    with _one_line(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise TaxohashError(f"{out} exists already: remove it or name another folder")
        above = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(above, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def writable(folder: Path) -> Path:
    """The folder, made with its parents, for programs that are not ours to write into.

    Raises:
        TaxohashError: it cannot be made, or nothing can be written into it.
    """
    with _one_line(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replacing(path, mode) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any, sort_keys: bool = False) -> None:
    """Write JSON, indented, whole or not at all."""
    write_text(path, json.dumps(data, indent=1, sort_keys=sort_keys) + "\n")


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON; `remedy` ends the error's sentence.

    Raises:
        TaxohashError: absent, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaxohashError(f"{path} cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, RecursionError) as error:  # a path with a null byte is no value either
        raise TaxohashError(f"{path} is not JSON ({error}): {remedy}") from None


@contextmanager
def _draft(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make(folder: Path) -> None:
    """Make a folder and those above it, their names on disk."""
    missing = [above for above in (folder, *folder.parents) if not above.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync(made.parent)


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # NumPy's tofile gives no number, only that less was written than asked.
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None)
        remedy = "free some space" if full else "choose a place that can be written"
        raise TaxohashError(f"{path} cannot be written ({error.strerror or error}): {remedy}") from None
