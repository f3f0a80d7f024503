"""What of an upload was acknowledged, in a file: an upload that was interrupted goes on where it stopped."""

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from taxohash.client.uploads import Loaded
from taxohash.errors import TaxohashError

_KIND = "taxohash upload 1"
_BEGIN = json.dumps({"journal": _KIND}).encode()[:-1]  # of the first line


class Journal:
    """A line for each item that the service has acknowledged, appended in one write and on disk when `add` returns.

    The first line names the service. A line that was cut off, as by a full disk, counts for nothing, and nor does what follows
    it. One process at a time.
    """

    def __init__(self, path: str | Path, url: str) -> None:
        """Open it, or begin one.

        Raises:
            TaxohashError: it is another upload's, of another service, no journal, or cannot be written.
        """
        self.path = Path(path)
        self._digests: dict[str, str] = {}
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._lock()
            self._read(url)
        except BaseException:
            os.close(self._file)
            raise

    def has(self, item: Loaded) -> bool:
        """Whether this very item was acknowledged."""
        return self._digests.get(item.id) == item.digest

    def add(self, items: Iterable[Loaded]) -> None:
        """Append what was acknowledged.

        Raises:
            TaxohashError: it cannot be written.
        """
        digests = {item.id: item.digest for item in items}
        if digests:
            self._append([{"id": item_id, "digest": digest} for item_id, digest in digests.items()])
            self._digests |= digests

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TaxohashError(
                f"journal {self.path} is used by another upload: wait for its end, or name another file"
            ) from None

    def _read(self, url: str) -> None:
        """What was acknowledged, line by line as far as they are whole; the file is cut off there, and begun where nothing is."""
        with open(self._file, "rb", closefd=False) as file:
            text = file.read()
        lines = text.split(b"\n")[:-1]  # after the last end of a line stands what was cut off
        if lines:
            self._check(lines[0], url)
        elif text[: len(_BEGIN)] != _BEGIN[: len(text)]:
            raise self._strange()
        whole = 0
        for number, line in enumerate(lines):
            try:
                told = json.loads(line)
                if number:
                    self._digests[str(told["id"])] = str(told["digest"])
            except (ValueError, KeyError, TypeError):
                break
            whole += len(line) + 1
        os.ftruncate(self._file, whole)
        if not whole:
            self._append([{"journal": _KIND, "url": url}])

    def _check(self, line: bytes, url: str) -> None:
        """Whether the first line is that of a journal of this service."""
        try:
            told = json.loads(line)
        except ValueError:
            raise self._strange() from None
        if not isinstance(told, dict) or told.get("journal") != _KIND:
            raise self._strange()
        if told.get("url") != url:
            raise TaxohashError(
                f"journal {self.path} is of an upload to {told.get('url')}: name another file for {url}"
            )

    def _strange(self) -> TaxohashError:
        return TaxohashError(f"{self.path} is no journal of an upload: name another file")

    def _append(self, lines: list[dict[str, str]]) -> None:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        try:
            if os.write(self._file, data) != len(data):
                raise OSError(None, "no space")
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> TaxohashError:
        return TaxohashError(
            f"journal {self.path} cannot be written ({error.strerror or error}): choose a place that can be"
        )
