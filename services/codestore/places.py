"""Where bytes are kept by name: a folder, a prefix of an S3 bucket, or memory, by fsspec. Errors are one line, without secrets."""

import errno
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from services.codestore.connection import StoreUnavailableError
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import replacing, write_files

_FORMS = "give a folder, s3://bucket/prefix or memory://name"
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LARGEST_MOVED = 64 << 20  # bytes
_TOGETHER = 8  # requests of a server at once
SECONDS = 60.0  # an operation of a server, its repetitions included


@dataclass(frozen=True)
class Entry:
    """What a listing tells of a name; `written` in Unix time, 0 for folders."""

    name: str
    is_file: bool
    size: int
    written: float


class Place:
    """Bytes by name; names are relative paths of ASCII, made by us. Safe to share between threads, not with a forked process.

    Attributes:
        address: for messages.
        is_folder: whether it lies in this machine's file system.

    Raises (every method):
        StoreUnavailableError: no such bucket, no permission, no space, no answer.
    """

    def __init__(self, what: str, scheme: str, root: str, seconds: float = SECONDS) -> None:
        """Use `open`."""
        self.is_folder = scheme == "file"
        self.address = root if self.is_folder else f"{scheme}://{root}"
        self._what = what
        self._root = root
        self._seconds = seconds
        self._files, self._errors = _file_system(scheme)

    @classmethod
    def open(cls, address: str | Path, what: str, seconds: float = SECONDS) -> "Place":
        """The place at an address.

        Args:
            address: a folder that exists, or whose parent does; s3://bucket/prefix, with keys and server as the AWS tools take
                them (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION, profiles); memory://name for tests.
            what: is kept there, in the plural, for messages.
            seconds: an operation of a server may take, its repetitions included.

        Raises:
            TaxohashError: it is no such address, or there is no such folder. S3 is asked only when it is used.
        """
        scheme, root = _parsed(str(address), what)
        if scheme == "file":
            _check_folder(Path(root), what)
        return cls(what, scheme, root, seconds)

    def read(self, name: str, limit: int) -> bytes | None:
        """The first `limit` bytes of what is there; None where nothing is."""
        with suppress(FileNotFoundError):
            data: bytes = self._do("cat_file", name, start=0, end=limit)
            return data
        return None

    def fetch(self, name: str, file: Path, told: Callable[[int], None] = lambda size: None) -> bool:
        """Copy what is there into a file, however large it is; False where nothing is.

        Args:
            told: called with the bytes of each part that has come from a server, by another thread.

        Raises:
            TaxohashError: the file cannot be written.
        """
        with suppress(FileNotFoundError):
            self._do("get_file", name, str(file), callback=_parts(told))
            return True
        return False

    def write(self, name: str, data: bytes) -> None:
        """Put bytes there, whole or not at all, on disk when it returns; what was there makes way."""
        if not self.is_folder:
            self._do("pipe_file", name, data)
            return
        try:
            with replacing(Path(self._root, name)) as draft:
                draft.write_bytes(data)
        except TaxohashError as error:
            raise StoreUnavailableError(f"{self._what}: {error}") from None

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Put many there, each whole or not at all, all on disk when it returns."""
        if self.is_folder:
            try:
                write_files({Path(self._root, name): data for name, data in files.items()})
            except TaxohashError as error:
                raise StoreUnavailableError(f"{self._what}: {error}") from None
        else:
            with ThreadPoolExecutor(_TOGETHER) as threads:
                for done in [threads.submit(self.write, name, data) for name, data in files.items()]:
                    done.result()

    def remove(self, name: str) -> None:
        """Remove what is there; nothing happens where nothing is."""
        with suppress(FileNotFoundError):
            self._do("rm_file", name)

    def move(self, name: str, to: str) -> None:
        """Give what is there another name; on a server it has both for a moment. Nothing happens where nothing is."""
        if self.is_folder:
            with suppress(FileNotFoundError):
                self._do("mv", name, f"{self._root}/{to}")
        elif (data := self.read(name, _LARGEST_MOVED)) is not None:
            self.write(to, data)
            self.remove(name)

    def remove_folder(self, name: str) -> None:
        """Remove a folder in which nothing is left; nothing happens where something is, and a bucket has none."""
        if self.is_folder:
            with suppress(OSError):
                os.rmdir(Path(self._root, name))

    def entry(self, name: str) -> Entry | None:
        """What is there, or None."""
        with suppress(FileNotFoundError):
            return _entry(self._do("info", name))
        return None

    def entries(self, folder: str = "") -> list[Entry]:
        """What lies in a folder, in the order of the names; nothing where there is none."""
        with suppress(FileNotFoundError):
            return sorted(map(_entry, self._do("ls", folder, detail=True)), key=lambda entry: entry.name)
        return []

    def _do(self, operation: str, name: str, *values: Any, **named: Any) -> Any:
        """Raises FileNotFoundError where nothing is, and the place that it would be in is well."""
        path = f"{self._root}/{name}" if name else self._root
        try:
            if self._files.async_impl:
                return self._within_seconds(getattr(self._files, f"_{operation}"), path, *values, **named)
            return getattr(self._files, operation)(path, *values, **named)
        except self._errors as error:
            code = _code(error)
            if code == "InvalidRange":  # a part of what has no bytes
                return b""
            if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
                raise
            if operation == "get_file" and not self.is_folder:
                _tell_of_disk(error, values[0])
            reason, remedy = _explained(error)
        raise StoreUnavailableError(f"{self._what} {self.address} cannot be used ({reason}): {remedy}")

    def _within_seconds(self, operation: Any, *values: Any, **named: Any) -> Any:
        from fsspec.asyn import sync

        return sync(self._files.loop, operation, *values, timeout=self._seconds, **named)


def _parts(told: Callable[[int], None]) -> Any:
    """What fsspec tells of the parts of a copy, so that `told` is."""
    from fsspec.callbacks import Callback

    class Parts(Callback):  # type: ignore[misc]  # which is not typed
        def relative_update(self, inc: int = 1) -> None:
            told(inc)

    return Parts()


def _masked(text: str) -> str:
    """Without user and password of an address in it."""
    return re.sub("//.*@", "//***@", text)


def _parsed(address: str, what: str) -> tuple[str, str]:
    """Scheme (file, s3, memory) and path of an address."""
    refused = TaxohashError(f"{_masked(address)!r} is no address of {what}: {_FORMS}")
    if "\0" in address or not address.strip():
        raise refused
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", address):
        return "file", str(Path(address).expanduser().absolute())
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that are no IPv6 address
        raise refused from None
    host, path = parts.netloc, unquote(parts.path)
    segments = [segment for segment in path.split("/") if segment]
    if "@" in host:
        raise TaxohashError(
            f"{_masked(address)!r} holds an account: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        )
    if parts.query or parts.fragment or "\0" in path:
        raise refused
    if parts.scheme == "file" and host in ("", "localhost") and path.startswith("/"):
        return "file", str(Path(path))
    if parts.scheme in ("s3", "memory") and _HOST.fullmatch(host) and {".", ".."}.isdisjoint(segments):
        return parts.scheme, "/".join([host, *segments])
    raise refused


def _check_folder(folder: Path, what: str) -> None:
    try:
        if folder.is_dir():
            return
        exists, parent = folder.exists(), folder.parent.is_dir()
    except OSError as error:
        raise TaxohashError(f"{what} cannot be kept in {folder} ({error.strerror}): choose another") from None
    if exists:
        raise TaxohashError(f"{folder} is a file: give a folder for {what}")
    if not parent:
        raise TaxohashError(f"there is no folder {folder.parent} to keep {what} in: make it first")


def _file_system(scheme: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """Of fsspec, and what it raises; imported here, as S3's takes half a second."""
    if scheme != "s3":
        import fsspec

        return fsspec.filesystem(scheme), (OSError,)
    import aiohttp
    import botocore.exceptions
    import s3fs

    files = s3fs.S3FileSystem(
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}},
    )
    files.retries = 2
    errors = (
        OSError,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        aiohttp.ClientError,
    )
    return files, errors


def _entry(told: Mapping[str, Any]) -> Entry:
    """What each file system tells in its own words."""
    is_file = told["type"] == "file"
    name = str(told["name"]).rstrip("/").rpartition("/")[2]
    if not is_file:
        return Entry(name, False, 0, 0.0)
    written = next(told[key] for key in ("mtime", "LastModified", "created") if told.get(key) is not None)
    return Entry(
        name,
        True,
        int(told["size"]),
        written.timestamp() if isinstance(written, datetime) else float(written),
    )


def _code(error: BaseException) -> str:
    """What S3 calls an error, or nothing."""
    for cause in (error, error.__cause__):
        if response := getattr(cause, "response", None):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _tell_of_disk(error: Exception, file: str) -> None:
    """Raise where it is our own disk that failed, not the server that a file is copied from."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
    if isinstance(error, OSError) and (error.errno in full or error.filename == file):
        raise TaxohashError(
            f"{file} cannot be written ({error.strerror}): free some space, or choose another folder"
        ) from None


def _explained(error: Exception) -> tuple[str, str]:
    """Reason and remedy of what a file system raised."""
    code, kind = _code(error), type(error).__name__
    if code == "NoSuchBucket":
        return "there is no such bucket", "make it, or correct the address"
    if "Credential" in kind or kind == "ProfileNotFound":
        return "no keys are set", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, PermissionError):
        return code or os.strerror(error.errno or 13), "use an account that may read and write there"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return "no answer in time", "start its server, or correct the address"
    if isinstance(error, OSError) and error.strerror and not code:
        return error.strerror, "choose a place that can be read and written"
    reason = code or " ".join(_masked(str(error)).split())[:120] or kind
    return reason, "start its server, or correct the address"
