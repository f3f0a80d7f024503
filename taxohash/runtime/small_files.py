"""Small files whose names are not trusted: nobody waits for a pipe, and no device is read to its end."""

import errno
import os
import stat
from pathlib import Path


def read_small(file: Path, most: int, links: bool = True) -> tuple[bytes, int]:
    """The first `most` + 1 bytes of a file, by which one that is longer is known, and its mode.

    Args:
        links: whether what a link leads to is read.

    Raises:
        OSError: it cannot be read, is not there, or is no file.
    """
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no file")
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(most + 1), mode
    finally:
        os.close(handle)
