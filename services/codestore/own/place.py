"""Where the user's own store lies, and the locks by which its keeper and its users know of each other."""

import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path

from services.codestore.home import LONGEST_SOCKET_PATH
from taxohash.errors import TaxohashError

_REMEDY = "set XDG_DATA_HOME to a folder that can be written, or TAXOHASH_REDIS_URL to a code store"


class StorePlace:
    """The folder of a store that several programs share.

    A lock goes with the process that holds it, however that ends: who uses the store holds `users` shared, who keeps it holds
    `keeper` alone, and `users` too while it ends, so that nobody is given a store that is about to go.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            TaxohashError: it cannot be made, or is not the user's alone.
        """
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "keeper.log"
        self.socket = _socket(self.data)
        _make(self.folder)
        if not self.socket.is_relative_to(self.folder):
            _make(self.socket.parent.parent)
            _make(self.socket.parent)

    def lock(self, name: str) -> "Lock":
        """Its lock of this name, not taken yet.

        Raises:
            TaxohashError: no file can be made for it.
        """
        try:
            return Lock(os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise TaxohashError(f"{self.folder} cannot be used ({error.strerror}): {_REMEDY}") from None


class Lock:
    """A lock of a file, which ends with `close` or with the process."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def take(self, *, shared: bool) -> bool:
        """Try to have it; whether it is had now."""
        try:
            fcntl.flock(self._handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
                return False
            raise TaxohashError(
                f"the user's own store cannot be locked ({error.strerror}): {_REMEDY}"
            ) from None

    def give_back(self) -> None:
        """Have it no longer."""
        fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Have it no longer, and close the file."""
        os.close(self._handle)


def _socket(data: Path) -> Path:
    """Of the server: always at the same place, since programs hold its address while the keeper is replaced."""
    inside = data / "run" / "redis.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(f"/tmp/taxohash-{os.getuid()}/{name}/redis.sock")  # whatever TMPDIR is: all must find it


def _make(folder: Path) -> None:
    """Make a folder that is the user's alone: in /tmp somebody else could have been first."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise TaxohashError(f"{folder} cannot be used ({error.strerror}): {_REMEDY}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise TaxohashError(f"{folder} is no folder of this user: {_REMEDY}")
