"""What a distribution requires, at the versions that are installed: what a package is built with, what a result depends on."""

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement


def installed(distribution: str, extras: Iterable[str] = ()) -> list[str]:
    """`name==version` of everything that a distribution requires directly and that is here, sorted.

    A requirement of an extra counts where the extra is among `extras`, and what it asks of distributions of this
    project is followed.

    Raises:
        PackageNotFoundError: the distribution is not installed.
    """
    return sorted(set(_installed(distribution, frozenset(extras))))


def _installed(distribution: str, extras: frozenset[str]) -> Iterable[str]:
    for text in metadata.requires(distribution) or ():
        required = Requirement(text)
        asked = (
            any(required.marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if required.marker
            else True
        )
        if not asked:
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
