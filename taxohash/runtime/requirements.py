"""What a distribution requires, at the versions that are installed: what a package is built with, what a result depends on."""

import re
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement

LIBRARY = "taxohash"


def installed(distribution: str, extras: Iterable[str] = ()) -> list[str]:
    """`name==version` of everything that a distribution requires directly and that is here, sorted.

    A requirement of an extra counts where the extra is among `extras`, and what it asks of distributions of this
    project is followed.

    Raises:
        PackageNotFoundError: the distribution is not installed.
    """
    return sorted(set(_installed(distribution, frozenset(extras))))


def remedy(error: ModuleNotFoundError) -> str | None:
    """What to install when a package that one of the library's extras brings is not here; None for any other."""
    module = (error.name or "").partition(".")[0]
    for text in metadata.requires(LIBRARY) or ():
        required = Requirement(text)
        extra = re.search(r"extra == ['\"](\w+)", str(required.marker))
        if required.name.replace("-", "_") == module and extra:
            return f"{required.name} is not installed: pip install '{LIBRARY}[{extra[1]}]'"
    return None


def _installed(distribution: str, extras: frozenset[str]) -> Iterable[str]:
    for text in metadata.requires(distribution) or ():
        required = Requirement(text)
        if required.marker and not any(required.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        if required.name.startswith("taxohash"):
            yield from _installed(required.name, frozenset(required.extras))
            continue
        try:
            yield f"{required.name}{_bracketed(required.extras)}=={metadata.version(required.name)}"
        except metadata.PackageNotFoundError:
            continue


def _bracketed(extras: Iterable[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""
