"""Pictures, originals and thumbnails, kept under the sha256 of their bytes: in a folder, on S3, or in memory.

    ADDRESS/ab/cdef...    the bytes whose sha256 is abcdef...; nothing else, so that a store can be copied by any tool
    ADDRESS/sampled/...   what was searched for, see services/codestore/sampled; no method here sees it

Equal pictures are kept once, a picture never changes, and what is read is checked against its name. A picture is written
whole or not at all: in a folder under another name first, on S3 by one PUT.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from pathlib import Path
from time import time

from services import settings
from services.codestore.home import users_data
from services.codestore.places import SECONDS, Entry, Place
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import writable

MAX_PICTURE = 32 << 20
DAY = 24 * 3600.0

_TOGETHER = 512  # pictures written at once
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


class MissingPictureError(TaxohashError):
    """The store has no such picture."""


class DamagedPictureError(TaxohashError):
    """What lies under a picture's name is not that picture."""


def digest_of(data: bytes) -> str:
    """The name of a picture: sha256 of its bytes in hex."""
    return hashlib.sha256(data).hexdigest()


class Pictures:
    """A store of pictures; made by `open`. Safe to share between threads, not with a forked process.

    Raises (every method):
        StoreUnavailableError: no such bucket, no permission, no space, no answer: nothing is wrong with the picture.
        TaxohashError: what is given is no picture, or no name of one.
    """

    def __init__(self, place: Place, limit: int = MAX_PICTURE) -> None:
        """Use `open`."""
        self._place = place
        self._limit = limit

    @classmethod
    def open(cls, address: str | Path, *, limit: int = MAX_PICTURE, seconds: float = SECONDS) -> "Pictures":
        """The store at an address (see `Place.open`), with a limit of bytes a picture, and of seconds an operation on S3.

        Raises:
            TaxohashError: it is no address, or there is no such folder. S3 is asked only when it is used.
        """
        return cls(Place.open(address, "pictures", seconds), limit)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Pictures":
        """The store that TAXOHASH_PICTURES names, else the folder `pictures` among the user's data, made if absent.

        Raises:
            TaxohashError: as `open`, or the folder cannot be made.
        """
        return cls.open(settings.PICTURES.of(environment) or writable(users_folder(environment)))

    @property
    def address(self) -> str:
        """Where the pictures are, without secrets."""
        return self._place.address

    @property
    def place(self) -> Place:
        """Where they are, for what is kept beside them."""
        return self._place

    def put(self, data: bytes) -> str:
        """Keep a picture; its name. One that is known is written anew: that mends it, and renews its age for `sweep`."""
        digest = self._named(data)
        self._place.write(_path(digest), data)
        return digest

    def put_many(self, pictures: Iterable[bytes]) -> list[str]:
        """Keep pictures, many at once; their names in order. A refused one leaves only the batches before it."""
        names: list[str] = []
        left = iter(pictures)
        while batch := list(islice(left, _TOGETHER)):
            digests = [self._named(data) for data in batch]
            self._place.write_all(dict(zip(map(_path, digests), batch, strict=True)))
            names += digests
        return names

    def _named(self, data: bytes) -> str:
        if not isinstance(data, bytes) or not data:
            raise TaxohashError("a picture has no bytes: give the content of its file")
        if len(data) > self._limit:
            raise TaxohashError(f"a picture has {len(data)} bytes: keep it to {self._limit}")
        return digest_of(data)

    def get(self, digest: str) -> bytes:
        """The picture of this name.

        Raises:
            MissingPictureError: it is not there.
            DamagedPictureError: what is there is something else.
        """
        data = self._place.read(_path(_checked(digest)), self._limit + 1)
        if data is None:
            raise MissingPictureError(f"picture {digest} is not in {self.address}: put it, or restore it")
        if digest_of(data) != digest:
            raise DamagedPictureError(f"picture {digest} in {self.address} is damaged: put it, or restore it")
        return data

    def has(self, digest: str) -> bool:
        """Whether something lies under this name; `get` tells whether it is whole."""
        return self.written(digest) is not None

    def written(self, digest: str) -> float | None:
        """When something was put under this name last, in Unix time of the store; None where nothing lies there."""
        found = self._place.entry(_path(_checked(digest)))
        return found.written if found is not None and found.is_file else None

    def delete(self, digest: str) -> None:
        """Remove a picture; nothing happens if it is not there."""
        self._place.remove(_path(_checked(digest)))

    def digests(self) -> Iterator[str]:
        """The names of all pictures, ascending; whatever else lies there is passed over."""
        return (digest for digest, _ in self._kept())

    def unused(self, used: AbstractSet[str] | Iterable[str], grace: float = DAY) -> list[str]:
        """What `sweep` would delete, ascending: pictures that nobody uses and that are older than `grace` seconds.

        Args:
            used: all names that are used: a set, or an iterable in ascending order, of which a 256th is held in memory.
            grace: longer than it takes from putting a picture to writing the item that names it.

        Raises:
            TaxohashError: a name is none, or they are not in order.
        """
        before = time() - grace
        found = []
        shards = _by_shard(sorted(used) if isinstance(used, AbstractSet) else used)
        shard, names = "", frozenset[str]()
        for digest, entry in self._kept():
            while shard < digest[:2] and (following := next(shards, None)):
                shard, names = following
            if digest not in names and entry.written < before:
                found.append(digest)
        for _ in shards:  # to the end, as a name that is wrong must be told before anything is deleted
            pass
        return found

    def sweep(self, used: AbstractSet[str] | Iterable[str], grace: float = DAY) -> int:
        """Delete what is `unused`; how many were. Nothing is, before the last of `used` was read.

        A picture that was put again meanwhile is spared: its age is looked at once more, right before it is deleted.
        """
        before = time() - grace
        deleted = 0
        for digest in self.unused(used, grace):
            found = self._place.entry(_path(digest))
            if found and found.written < before:
                self._place.remove(_path(digest))
                deleted += 1
        self._remove_drafts(before)
        return deleted

    def _kept(self) -> Iterator[tuple[str, Entry]]:
        """All pictures in ascending order, a shard in memory at a time."""
        for shard in self._place.entries():
            if _SHARD.fullmatch(shard.name):
                for entry in self._place.entries(shard.name):
                    if entry.is_file and _REST.fullmatch(entry.name):
                        yield shard.name + entry.name, entry

    def _remove_drafts(self, before: float) -> None:
        """Remove what writers that were killed left beside the pictures of a folder."""
        for shard in self._place.entries() if self._place.is_folder else ():
            for entry in self._place.entries(shard.name) if _SHARD.fullmatch(shard.name) else ():
                if entry.is_file and entry.name.startswith(".") and entry.written < before:
                    self._place.remove(f"{shard.name}/{entry.name}")


def users_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where pictures are kept when nothing else is named: `taxohash/pictures` in $XDG_DATA_HOME or ~/.local/share."""
    return users_data(environment) / "pictures"


def _path(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"


def _checked(digest: str) -> str:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise TaxohashError(f"{str(digest)[:80]!r} is no name of a picture: give 64 hexadecimal digits")
    return digest


def _by_shard(names: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Ascending names, those of a shard together."""
    last, shard = "", set[str]()
    for name in names:
        if _checked(name) < last:
            raise TaxohashError(f"picture {name} comes after {last}: give a set, or names in ascending order")
        if shard and name[:2] != last[:2]:
            yield last[:2], frozenset(shard)
            shard = set()
        shard.add(name)
        last = name
    if shard:
        yield last[:2], frozenset(shard)
