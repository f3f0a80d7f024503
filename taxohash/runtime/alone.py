"""One process at a time, of those on machines that share a file system with locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce


@contextmanager
def alone(file: Path, waiting: str) -> Iterator[None]:
    """While no other process is in here by this file, which stays; of two at once, one waits and says so.

    The kernel lets go of it when a process ends, however that is. Who is in here may remove the file.

    Args:
        file: in a folder that is there and can be written.
        waiting: what is said where another process is in here.

    Raises:
        TaxohashError: the file system has no locks.
    """
    with _locked(file, waiting) as lock:
        assert lock
        yield


@contextmanager
def alone_if_free(file: Path) -> Iterator[bool]:
    """As `alone`, but where another process is in here, nobody waits and it is False.

    Raises:
        TaxohashError: the file system has no locks.
    """
    with _locked(file, None) as lock:
        yield lock is not None


@contextmanager
def _locked(file: Path, waiting: str | None) -> Iterator[TextIO | None]:
    while True:
        with file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting is None:
                    yield None
                    return
                announce(waiting)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise TaxohashError(
                    f"{file} cannot be locked ({error.strerror}): choose a folder in a file system that has locks"
                ) from None
            if _is_of(lock, file):
                yield lock
                return


def _is_of(lock: TextIO, file: Path) -> bool:
    """Whether an open file still has its name, or whoever was in here has removed it."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), file.stat())
    except FileNotFoundError:
        return False
