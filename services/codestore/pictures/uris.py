"""Which addresses of pictures may be read, and reading them: only below prefixes that an operator named.

An item's URI is written by whoever writes items, and read by a process that may reach more than they: files of its machine,
hosts of its network, buckets of its account. So an address is taken apart strictly, compared part by part, put together again
from what was compared, and read without following what leads elsewhere (symbolic links, redirects).
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from services.codestore.connection import StoreUnavailableError
from services.codestore.places import Place
from services.settings import URI_PREFIXES
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown

if TYPE_CHECKING:
    import httpx

_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\\\]")
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")


class RefusedUriError(TaxohashError):
    """The address must not be read, or is none."""


@dataclass(frozen=True)
class Uri:
    """An address in parts that compare: `host` is a bucket for s3 and empty for file, `port` 0 where there is none.

    The path starts with '/', as it is written; that of a file is decoded. A query is kept for http and https alone.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    def __str__(self) -> str:
        """Without its query, which may hold a signature."""
        port = f":{self.port}" if self.port and self.port != _PORTS.get(self.scheme) else ""
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @property
    def full(self) -> str:
        """With its query."""
        return f"{self}?{self.query}" if self.query else str(self)

    def below(self, prefix: "Uri") -> bool:
        """Whether the prefix is a folder that this lies in."""
        folder = prefix.path.rstrip("/") + "/"
        same = (self.scheme, self.host, self.port) == (prefix.scheme, prefix.host, prefix.port)
        return same and self.path.startswith(folder) and len(self.path) > len(folder)


def parse(text: str) -> Uri:
    """An address in its parts: file:///path or /path, s3://bucket/key, http:// or https://host/path.

    Raises:
        RefusedUriError: another scheme, an account, a host that is none, `.` or `..` among the names of the path however they
            are encoded, a backslash or a control character.
    """
    text, name = text.strip(" "), _masked(text)
    if bad := _FORBIDDEN.search(text):
        raise RefusedUriError(f"address {name} contains {bad[0]!r}: give the picture another name")
    if text.startswith("/") and not text.startswith("//"):
        return Uri("file", "", 0, _plain(text, text, name))
    try:
        parts = urlsplit(text)
        host, port = parts.netloc.lower(), parts.port or 0
    except ValueError:
        raise RefusedUriError(f"address {name} has a host or port that is none: correct it") from None
    if "@" in parts.netloc:
        raise RefusedUriError(f"address {name} holds an account: leave it out")
    if parts.scheme == "file" and host in ("", "localhost"):
        if parts.query or parts.fragment:
            raise RefusedUriError(f"address {name} has a '?' or '#': write %3F or %23 in a file's name")
        path = unquote(parts.path)
        if not path.startswith("/"):
            raise RefusedUriError(f"address {name} is no whole path: start it with file:///")
        return Uri("file", "", 0, _plain(path, path, name))
    if parts.scheme == "s3" and host:  # a key is taken as it stands: '?', '#' and '%' are letters of it
        bucket, _, key = text[len("s3://") :].partition("/")
        if not _HOST.fullmatch(bucket):
            raise RefusedUriError(f"address {name} has a bucket that is none: correct it")
        return Uri("s3", bucket, 0, _plain("/" + key, key, name))
    if parts.scheme in _PORTS:
        host = host.removesuffix(f":{port}")
        if not host.isascii() or not _HOST.fullmatch(host):
            raise RefusedUriError(f"address {name} has a host that is none: correct it")
        path = parts.path or "/"
        return Uri(parts.scheme, host, port or _PORTS[parts.scheme], _plain(path, path, name), parts.query)
    raise RefusedUriError(
        f"address {name} is none of file:///path, s3://bucket/key, https://host/path: correct it"
    )


def parse_prefixes(text: str) -> tuple[Uri, ...]:
    """Prefixes, divided by spaces; each names a folder, with a '/' at its end or without.

    Raises:
        TaxohashError: one is no address, names a whole file system, or has a query.
    """
    found = []
    for part in text.split():
        try:
            prefix = parse(part)
        except RefusedUriError as error:
            raise TaxohashError(f"{URI_PREFIXES.name}: {error}") from None
        if prefix.query or (prefix.scheme == "file" and not prefix.path.strip("/")):
            raise TaxohashError(
                f"{URI_PREFIXES.name}: {part!r} is no folder of pictures: name the folder they are in"
            )
        found.append(prefix)
    return tuple(found)


def prefixes_from(environment: Mapping[str, str] = os.environ) -> tuple[Uri, ...]:
    """What TAXOHASH_URI_PREFIXES names; nothing may be read when it names nothing.

    Raises:
        TaxohashError: as `parse_prefixes`.
    """
    return parse_prefixes(" ".join(URI_PREFIXES.of(environment)))


class UriReader:
    """Reads what lies below some prefixes. Safe to share between threads, not with a forked process."""

    def __init__(self, prefixes: Iterable[Uri], *, limit: int, seconds: float = 30.0) -> None:
        """At most `limit` bytes an address, within `seconds` each."""
        self._prefixes = tuple(prefixes)
        self._limit = limit
        self._seconds = seconds
        self._buckets: dict[str, Place] = {}
        self._client: httpx.AsyncClient | None = None

    def read(self, text: str) -> bytes:
        """What lies at an address.

        Raises:
            RefusedUriError: it is no address, below none of the prefixes, or leads elsewhere.
            StoreUnavailableError: its server does not answer as it should.
            TaxohashError: nothing is there, or too much.
        """
        uri = parse(text)
        within = next((prefix for prefix in self._prefixes if uri.below(prefix)), None)
        if within is None:
            raise RefusedUriError(
                f"address {_masked(text)} is below no prefix of {URI_PREFIXES.name}: add the folder it is in"
            )
        if uri.scheme == "file":
            data = _read_file(uri, within, self._limit)
        else:
            data = self._read_s3(uri) if uri.scheme == "s3" else self._read_http(uri)
        if not data:
            raise TaxohashError(f"address {uri} holds nothing: correct the item's URI")
        if len(data) > self._limit:
            raise TaxohashError(f"address {uri} holds more than {self._limit} bytes: give a smaller picture")
        return data

    def _read_s3(self, uri: Uri) -> bytes:
        if uri.host not in self._buckets:
            self._buckets[uri.host] = Place("addresses", "s3", uri.host, self._seconds)
        return self._buckets[uri.host].read(uri.path[1:], self._limit + 1) or b""

    def _read_http(self, uri: Uri) -> bytes:
        from fsspec.asyn import get_loop, sync

        try:  # on a loop, since only there a server that sends a byte now and then is held to the time
            data: bytes = sync(get_loop(), self._fetched, uri, timeout=self._seconds)
            return data
        except TimeoutError:
            raise StoreUnavailableError(
                f"address {uri} takes over {self._seconds:g} s to read: try again later"
            ) from None

    async def _fetched(self, uri: Uri) -> bytes:
        import httpx

        self._client = self._client or httpx.AsyncClient(timeout=self._seconds)
        data = bytearray()
        try:
            headers = {"Accept-Encoding": "identity"}
            async with self._client.stream(
                "GET", uri.full, headers=headers, follow_redirects=False
            ) as answer:
                if answer.url.host != uri.host.strip("[]") or answer.is_redirect:
                    raise RefusedUriError(f"address {uri} leads elsewhere: write where it leads to")
                if answer.status_code != 200:
                    raise TaxohashError(f"address {uri} answers {answer.status_code}: correct the item's URI")
                if answer.headers.get("Content-Encoding", "identity") != "identity":  # may be a bomb
                    raise TaxohashError(f"address {uri} answers compressed: serve pictures as they are")
                async for part in answer.aiter_raw():
                    data += part
                    if len(data) > self._limit:
                        break
        except httpx.HTTPError as error:
            reason = type(error).__name__
            raise StoreUnavailableError(
                f"address {uri} does not answer ({reason}): try again later"
            ) from None
        except httpx.InvalidURL:
            raise RefusedUriError(f"address {uri} is none: correct the item's URI") from None
        return bytes(data)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            from fsspec.asyn import get_loop, sync

            sync(get_loop(), self._client.aclose)
            self._client = None


def _plain(path: str, names: str, shown_as: str) -> str:
    """The path, if none of its names leads upwards once it is decoded, be it more than once."""
    decoded = names
    while (once := unquote(decoded)) != decoded:
        decoded = once
    # What follows a ';' is a parameter of a name to some servers, and '\' a '/'.
    if any(part.partition(";")[0] in (".", "..") for part in re.split(r"[/\\]", decoded)) or "\0" in decoded:
        raise RefusedUriError(f"address {shown_as} has '.' or '..' in its path: write where it leads to")
    return path


def _masked(text: str) -> str:
    """The address without account and query, in quotes, for a line of text."""
    return shown(re.sub(r"//.*@", "//***@", text).partition("?")[0])


def _read_file(uri: Uri, prefix: Uri, limit: int) -> bytes:
    """Down from the prefix a name at a time, each opened in the folder before it, so that no symbolic link is followed."""
    *folders, name = [part for part in uri.path[len(prefix.path.rstrip("/")) :].split("/") if part]
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with ExitStack() as opened:
            folder = os.open(prefix.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, folder)
            for part in folders:
                folder = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
                opened.callback(os.close, folder)
            with open(os.open(name, flags | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise RefusedUriError(f"address {uri} is no file: correct the item's URI")
                return file.read(limit + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:  # of a symbolic link ELOOP or ENOTDIR
        raise RefusedUriError(
            f"address {uri} cannot be read ({error.strerror}): name a file below the prefix, no link"
        ) from None
