"""The kernels of search, compiled ahead of time for each of `cpu.TARGETS`, to be packed with a Bento.

They are kept beside this user's compiled kernels: what was compiled once is only copied. For which types each kernel is
needed is noted while a process runs all of them; for the other targets they are compiled without being run, so any x86-64
machine will do.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.processes import end_with_parent
from services.retrieval.bento.compiling import ITEMS
from taxohash.errors import TaxohashError
from taxohash.runtime import cpu, kernel_places
from taxohash.runtime.alone import alone
from taxohash.runtime.atomic import drafting, place, writable
from taxohash.runtime.progress import announce, bars
from taxohash.runtime.sources import ROOT

WORD = 64  # bits; codes of as many words share their kernels
_MACHINES = ("x86_64", "AMD64")
_TYPES = "types"  # a file beside the kernels of a part that were run
_UNNAMED = "this"  # what a CPU is called that is none of the targets
_LOOK_SECONDS = 0.05  # between looks at the processes that compile


@dataclass(frozen=True)
class Job:
    """One part to be compiled for one kind of CPU, in a process of its own."""

    part: str
    target: cpu.Target | None
    types: Path | None
    """Compile for the types in this file, or, without one, run the kernels and note the types."""

    @property
    def place(self) -> Path:
        return Path(self.target.name if self.target else _UNNAMED, self.part)

    def start(self, folder: Path) -> "subprocess.Popen[bytes]":
        """Begin to compile into a folder."""
        folder.mkdir(parents=True)
        types = self.types or folder / _TYPES
        task: list[str | Path] = ["compile", types] if self.types else ["record", self.part, types]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        environment |= self.target.environment if self.target else {}
        with folder.with_suffix(".log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "services.retrieval.bento.compiling", *task],
                cwd=ROOT, env={**environment, "NUMBA_CACHE_DIR": str(folder)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent,
            )  # fmt: skip


def compiled(lengths: Collection[int]) -> Path | None:
    """The folder of compiled kernels for codes of some lengths in bits, made unless it is there.

    Returns:
        a folder TARGET/PART/..., which may hold parts for other lengths, too; None on machines of another kind.

    Raises:
        TaxohashError: a kernel cannot be compiled, or nothing can be written where they are kept.
    """
    if platform.machine() not in _MACHINES:
        announce(f"no compiled kernels are packed: they are for x86-64, and this is {platform.machine()}")
        return None
    wanted = parts(lengths)
    here = ROOT / kernel_places.PACKED / kernel_places.identity()
    if not _missing(here, wanted):  # we are in a Bento
        return here
    folder = writable(kernel_places.user_folder() / f"packed-{kernel_places.identity()}")
    with _alone(folder):
        if missing := _missing(folder, wanted):
            _compile(folder, missing)
    return folder


def parts(lengths: Collection[int]) -> list[str]:
    """The parts that codes of some lengths in bits need: one for each number of words, called by its bits, and what all need."""
    words = sorted({-(-bits // WORD) for bits in lengths})
    return [ITEMS, *(str(WORD * count) for count in words)] if words else []


def copy(folder: Path, parts: Sequence[str], out: Path) -> list[str]:
    """Copy what `compiled` made to where it is looked for by packages that lie in `out`; the files, relative to `out`."""
    place = out / kernel_places.PACKED / kernel_places.identity()
    for target in cpu.TARGETS:
        for part in parts:
            source = folder / target.name / part
            shutil.copytree(source, place / target.name / part, ignore=shutil.ignore_patterns(_TYPES))
    return sorted(file.relative_to(out).as_posix() for file in place.rglob("*") if file.is_file())


def _missing(folder: Path, wanted: Sequence[str]) -> list[str]:
    return [
        part for part in wanted if not all((folder / target.name / part).is_dir() for target in cpu.TARGETS)
    ]


def _compile(folder: Path, parts: Sequence[str]) -> None:
    """Compile parts for all targets; each is there whole, or not at all."""
    announce(f"compiling the kernels of search for {len(cpu.TARGETS)} kinds of CPUs, once for these sources")
    own = cpu.best(cpu.flags())
    recorded = [Job(part, own, None) for part in parts]
    rest = [
        Job(job.part, target, folder / job.place / _TYPES)
        for target in cpu.TARGETS
        for job in recorded
        if target is not own
    ]
    with bars() as progress, drafting(folder) as draft:
        task = progress.add_task("compiled parts", total=len(recorded) + len(rest), note="")
        for jobs in (recorded, rest):
            for job in _done([job for job in jobs if not (folder / job.place).exists()], draft):
                (folder / job.place).parent.mkdir(exist_ok=True)
                place(draft / job.place, folder / job.place)
                progress.advance(task)


def _done(jobs: Sequence[Job], draft: Path) -> Iterator[Job]:
    """Run jobs, as many at a time as there are CPUs; yield each when it has ended well.

    Raises:
        TaxohashError: one has not.
    """
    waiting, running = list(reversed(jobs)), dict[Job, subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                job = waiting.pop()
                running[job] = job.start(draft / job.place)
            time.sleep(_LOOK_SECONDS)
            for job in [job for job, process in running.items() if process.poll() is not None]:
                if running.pop(job).returncode:
                    raise TaxohashError(_failure(job, (draft / job.place).with_suffix(".log")))
                yield job
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _failure(job: Job, log: Path) -> str:
    said = log.read_text(encoding="utf-8", errors="replace").split("\n")
    reason = next((line for line in reversed(said) if line.strip()), "it was ended")
    return f"kernels {job.place} cannot be compiled ({reason}): pack none with --kernels none"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other process compiles into the folder; what one that was killed has left is removed."""
    with alone(folder / ".lock", "kernels are being compiled by another process: waiting for it"):
        for left in folder.glob(".draft-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
