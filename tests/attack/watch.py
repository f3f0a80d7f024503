"""What all processes of a service take, looked at many times a second."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]

from tests.attack.target import Target

_EVERY = 0.05
_FAMILY_EVERY = 0.5
MIB = 2**20


@dataclass(frozen=True)
class Look:
    """One look: seconds by time.monotonic, bytes of all processes together and of the greatest, and what is open."""

    at: float
    rss: int
    greatest: int
    processes: int
    descriptors: int
    threads: int


@dataclass
class Watch:
    """All looks so far."""

    looks: list[Look] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Memory in MiB at the beginning, at its peak and at the end, of all processes and of the greatest."""
        if not self.looks:
            return {}
        return {
            "rss_mib": {
                "first": self.looks[0].rss // MIB,
                "peak": max(look.rss for look in self.looks) // MIB,
                "last": self.looks[-1].rss // MIB,
                "greatest": max(look.greatest for look in self.looks) // MIB,
            },
            "processes": self.looks[-1].processes,
            "descriptors": {
                "first": self.looks[0].descriptors,
                "peak": max(look.descriptors for look in self.looks),
                "last": self.looks[-1].descriptors,
            },
            "threads": {
                "first": self.looks[0].threads,
                "peak": max(look.threads for look in self.looks),
                "last": self.looks[-1].threads,
            },
        }


@contextmanager
def watching(target: Target, every: float = _EVERY) -> Iterator[Watch]:
    """Look while the block runs; nothing where the processes are not known."""
    watch, done = Watch(), threading.Event()
    thread = threading.Thread(target=_watch, args=(target, watch, done, every), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def _watch(target: Target, watch: Watch, done: threading.Event, every: float) -> None:
    family: list[psutil.Process] = []
    asked = -_FAMILY_EVERY
    while target.pid:
        if time.monotonic() - asked > _FAMILY_EVERY:
            family, asked = target.family(), time.monotonic()
        sizes, descriptors, threads = [], 0, 0
        for process in family:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
                sizes.append(process.memory_info().rss)
                threads += process.num_threads()
                descriptors += process.num_fds()
        if sizes:
            look = Look(time.monotonic(), sum(sizes), max(sizes), len(sizes), descriptors, threads)
            watch.looks.append(look)
        if done.wait(every):
            return
