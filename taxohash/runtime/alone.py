"""One process at a time, of those on machines that share a file system with locks."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce


@contextmanager
def alone(file: Path, waiting: str) -> Iterator[None]:
    """While no other process is in here by this file, which stays; of two at once, one waits and says so.

    The kernel lets go of it when a process ends, however that is.

    Args:
        file: in a folder that is there and can be written.
        waiting: what is said where another process is in here.

    Raises:
        TaxohashError: the file system has no locks.
    """
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            announce(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise TaxohashError(
                f"{file} cannot be locked ({error.strerror}): choose a folder in a file system that has locks"
            ) from None
        yield
