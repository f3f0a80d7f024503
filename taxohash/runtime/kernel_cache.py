"""Where compiled kernels are kept: by the content of the packages they come from.

Numba keeps them beside each source file and looks at that file alone. Kept by content instead, a copy of the
packages (in a Bento, in another checkout) finds what was compiled before, and a change in any of their files, such as
one whose functions were inlined elsewhere, compiles anew. A cache that cannot be written, or that a crash
damaged, costs compiling again and nothing else.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from numba.core import caching
from numba.core.caching import CacheImpl, IndexDataCacheFile, _CacheLocator

from taxohash.runtime import sources
from taxohash.runtime.atomic import replacing

PACKAGES = ("taxohash/hamming/kernels", "taxohash/metrics", "services/codestore/follower/kernels")
OPTIONS: dict[str, Any] = {"cache": True, "nogil": True}


class PackageLocator(_CacheLocator):
    """Numba's locator for the functions of PACKAGES; other functions go to numba's own."""

    def __init__(self, package: Path, line: int) -> None:
        self._package = package
        self._line = line

    def get_cache_path(self) -> str:
        return str(_folder() / f"{self._package.name}-{_digest()[:16]}")

    def get_source_stamp(self) -> str:
        return _digest()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Self | None:
        package = Path(py_file).resolve().parent
        if package not in (sources.ROOT / name for name in PACKAGES):
            return None
        made = cls(package, py_func.__code__.co_firstlineno)
        try:
            made.ensure_cache_path()  # type: ignore[no-untyped-call]
        except OSError:
            return None
        return made


class LastingCacheFile(IndexDataCacheFile):
    """Numba's cache of one function, on a disk that may be full or lose power."""

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        with replacing(Path(filepath)) as draft, draft.open("wb") as file:
            yield file

    def save(self, key: Any, data: Any) -> None:
        with suppress(Exception):  # no space, no permission, or a damaged index that cannot be removed
            super().save(key, data)  # type: ignore[no-untyped-call]

    def load(self, key: Any) -> Any:
        try:
            return super().load(key)  # type: ignore[no-untyped-call]
        except Exception:  # whatever unpickling makes of a damaged file
            with suppress(OSError):
                Path(self._index_path).unlink()
            return None


@cache
def _digest() -> str:
    """Of all packages together: the kernels of one may be inlined in another."""
    return sources.digest(sources.files(*PACKAGES))


def _folder() -> Path:
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "taxohash" / "kernels"


# Whoever takes OPTIONS from here defines kernels after this.
CacheImpl._locator_classes.insert(0, PackageLocator)
caching.IndexDataCacheFile = LastingCacheFile  # type: ignore[misc]
