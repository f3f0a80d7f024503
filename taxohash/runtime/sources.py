"""The one list of our source files: what is packed, what a step's result depends on, what kernels are compiled from.

A place is a package or a folder below it, relative to where the packages lie. All that is kept there counts: code,
templates, Lua, pages; not what Python and editors leave.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from taxohash.runtime.requirements import installed

ROOT = Path(__file__).resolve().parents[2]
# The distribution that brings services and pipelines.
PLATFORM = "taxohash-platform"
# What the steps of a pipeline run: an edit below changes what they give, or may.
STEPS = ("pipelines", "services/codestore", "taxohash")


def files(*places: str, root: Path = ROOT) -> list[str]:
    """Paths relative to `root` of all sources in some places, sorted."""
    return sorted(path.relative_to(root).as_posix() for place in places for path in _kept(root / place))


def digest(names: Iterable[str], requirements: Iterable[str] = (), root: Path = ROOT) -> str:
    """sha256 of the files' names and bytes, and of the requirements they run with, in hex."""
    told = hashlib.sha256("\n".join(requirements).encode())
    for name in names:
        told.update(b"\0" + name.encode() + b"\0" + hashlib.sha256((root / name).read_bytes()).digest())
    return told.hexdigest()


def steps_digest() -> str:
    """Identity of the code that the steps of a pipeline run, installed libraries included: an image's digest, without one."""
    return digest(files(*STEPS), installed(PLATFORM, ["serve", "pipelines"]))


def _kept(place: Path) -> Iterator[Path]:
    for path in place.rglob("*"):
        left = "__pycache__" in path.parts or path.name.startswith(".") or path.name.endswith("~")
        if path.is_file() and not left:
            yield path
