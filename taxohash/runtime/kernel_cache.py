"""Where compiled kernels are kept: by the content of the packages they come from.

Numba keeps them beside each source file and looks at that file alone. Kept by content instead, a copy of the
packages (in a Bento, in another checkout) finds what was compiled before, and a change in any of their files, such as
one whose functions were inlined elsewhere, compiles anew. Those that are packed beside the packages (see `kernel_places`) are
looked at first, and never written. A cache that cannot be written, or that a crash damaged, costs compiling again and
nothing else.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Self

from numba.core import caching
from numba.core.caching import CacheImpl, IndexDataCacheFile, _CacheLocator
from numba.core.registry import cpu_target

from taxohash.runtime import cpu, kernel_places, sources
from taxohash.runtime.atomic import replacing

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True}
_CHECKSUM = sha256().digest_size


class PackageLocator(_CacheLocator):
    """Numba's locator for the functions of `kernel_places.KERNELS`; other functions go to numba's own."""

    def __init__(self, package: Path, line: int) -> None:
        self._package = package
        self._line = line

    def get_cache_path(self) -> str:
        return str(kernel_places.user_folder() / f"{self._package.name}-{kernel_places.identity()}")

    def ensure_cache_path(self) -> None:
        """The folder is made when something is written; where that cannot be, nothing is kept."""

    def get_source_stamp(self) -> str:
        return kernel_places.identity()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Self | None:
        package = Path(py_file).resolve().parent
        known = package in (sources.ROOT / name for name in kernel_places.KERNELS)
        return cls(package, py_func.__code__.co_firstlineno) if known else None


class LastingCacheFile(IndexDataCacheFile):
    """Numba's cache of one function: packed, or on a disk that may be full or lose power."""

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        with replacing(Path(filepath)) as draft, draft.open("wb") as file:
            yield file

    def save(self, key: Any, data: Any) -> None:
        with suppress(Exception):  # no space, no permission, or a damaged index that cannot be removed
            super().save(key, data)  # type: ignore[no-untyped-call]

    def _save_data(self, name: str, data: Any) -> None:
        """As numba does, behind a checksum: machine code that a disk has changed must not run."""
        dumped = self._dump(data)  # type: ignore[no-untyped-call]
        with self._open_for_write(self._data_path(name)) as file:  # type: ignore[no-untyped-call]
            file.write(sha256(dumped).digest() + dumped)

    def _load_data(self, name: str) -> Any:
        kept = Path(self._data_path(name)).read_bytes()  # type: ignore[no-untyped-call]
        checksum, dumped = kept[:_CHECKSUM], kept[_CHECKSUM:]
        if sha256(dumped).digest() != checksum:
            raise ValueError(f"{name} is damaged")
        return pickle.loads(dumped)  # noqa: S301  # of this user, or of who made the Bento: code, as all of it

    def load(self, key: Any) -> Any:
        for packed in self._packed():
            with suppress(Exception):  # damaged: it is as if it were not there
                if found := packed._load(key):
                    return found
        try:
            return self._load(key)
        except Exception:  # whatever unpickling makes of a damaged file
            with suppress(OSError):
                Path(self._index_path).unlink()
            return None

    def _load(self, key: Any) -> Any:
        return super().load(key)  # type: ignore[no-untyped-call]

    def _packed(self) -> "Iterator[LastingCacheFile]":
        """The same function in each of the packed parts."""
        path = Path(self._cache_path)
        if path.parent != kernel_places.user_folder():
            return
        base = self._index_name.removesuffix(".nbi")
        for part in _parts():
            yield LastingCacheFile(str(part / path.name), base, self._source_stamp)  # type: ignore[no-untyped-call]


@cache
def _parts() -> list[Path]:
    """The packed parts for the CPU that numba compiles for."""
    _triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    target = cpu.target_of(name, features)
    return kernel_places.packed_parts(target) if target else []


# Whoever takes OPTIONS from here defines kernels after this.
CacheImpl._locator_classes.insert(0, PackageLocator)
caching.IndexDataCacheFile = LastingCacheFile  # type: ignore[misc]
