"""The programs of a node, built once and kept. A build that was broken off is never taken for one that was finished."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.cluster.node import build
from tests.cluster.node.places import cache
from tests.cluster.node.unavailable import Unavailable

Report = Callable[[str], None]
Builder = Callable[[Path, Report], None]


def key(version: str = build.DEBIAN_VERSION, sources: Iterable[Path] = build.SOURCES) -> str:
    """What tells one build from another: Debian's version of Kubernetes, and a hash of the files that build it."""
    return f"{re.sub('[^a-z0-9.]', '_', version)}-{digest(sources)}"


def digest(sources: Iterable[Path]) -> str:
    """A hash of files."""
    whole = hashlib.sha256()
    for source in sources:
        whole.update(hashlib.sha256(source.read_bytes()).digest())
    return whole.hexdigest()[:12]


def programs(report: Report, folder: Path | None = None, builder: Builder = build.build) -> Path:
    """The folder of the programs; they are built where they are not there. Who comes meanwhile says so and waits.

    Args:
        folder: of the cache.
        builder: fills a folder.

    Raises:
        Unavailable: they cannot be built here.
    """
    folder = folder or cache()
    made = folder / key()
    if made.is_dir():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "build.lock", lambda: report("another run builds the node's programs: waiting")):
        if not made.is_dir():
            _make(made, report, builder)
    return made


def _make(made: Path, report: Report, builder: Builder) -> None:
    room(made.parent, build.GIGABYTES)
    report(f"building the programs of a node into {made}: once, and about ten minutes on two cores")
    began = time.monotonic()
    half = made.with_name(f"{made.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    try:
        builder(half, report)
    except subprocess.CalledProcessError as failed:
        words = " ".join(map(str, failed.cmd))
        raise Unavailable(
            f"the programs of a node could not be built: {words[:200]} ended with {failed.returncode}"
        ) from None
    finally:
        if not _finished(half):
            shutil.rmtree(half, ignore_errors=True)
    half.rename(made)
    report(f"built in {time.monotonic() - began:.0f} s")


def _finished(half: Path) -> bool:
    return not (half / "work").exists() and (half / "bin").is_dir()


def room(folder: Path, gigabytes: float) -> None:
    """Return where so much of a disk is free.

    Raises:
        Unavailable: it is not.
    """
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise Unavailable(f"{folder} has {free:.1f} GB free, and {gigabytes:g} are needed")


@contextmanager
def locked(file: Path, busy: Callable[[], None]) -> Iterator[IO[str]]:
    """Hold a lock, for which one waits after having said so; it goes with the process that holds it."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
