"""How a node begins, and how what another left is cleared away."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from taxohash.errors import TaxohashError
from tests.cluster.node import cgroups
from tests.cluster.node.cache import Report
from tests.cluster.node.places import ROOT
from tests.cluster.node.running import Running

LOCK = "lock"  # held by who uses the node, and the mark of a folder that is a node's
LOADED = "images.json"  # which images were loaded
_START_SECONDS = 60.0
_KEPT = ("containerd", LOADED, LOCK)  # images outlive a node


def own(home: Path) -> Path:
    """A folder for a node, which is made where it is not there.

    Raises:
        TaxohashError: other things are in it, which a node would remove.
    """
    home.mkdir(parents=True, exist_ok=True)
    if not (home / LOCK).exists() and any(home.iterdir()):
        raise TaxohashError(f"{home} is no folder of a node: name a new one")
    (home / LOCK).touch()
    return home


def clear(home: Path, report: Report) -> None:
    """End what an earlier run left in a folder, and remove what it left of its state but for its images."""
    left = Running.read(home)
    if left is not None:
        if left.lives():
            report(f"a node was left up in {home}: it is ended")
        left.end()
    cgroups.remove(cgroups.of(home))
    for entry in home.iterdir():
        if entry.name in _KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (home / "log").mkdir()


def launch(home: Path, binaries: Path, keep: bool) -> Running:
    """Start the first process of a node; return when it runs.

    Args:
        binaries: folder of the node's programs.
        keep: it goes on when we have ended.

    Raises:
        TaxohashError: it did not start; says why.
    """
    given = [str(home), str(binaries), *(["--kept"] if keep else [])]
    with (home / "log" / "init.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.node.launch", *given],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        running = Running.of(home, _first(process, home), binaries)
        running.write()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        cgroups.remove(cgroups.of(home))
        raise
    running.child = process
    return running


def _first(process: "subprocess.Popen[bytes]", home: Path) -> int:
    """Id of the first process of a node, that a process starts."""
    deadline = time.monotonic() + _START_SECONDS
    named = home / "init.pid"
    while not (named.exists() and named.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            said = ((home / "log" / "init.log").read_text().strip().splitlines() or ["it says nothing"])[-1]
            raise TaxohashError(f"the node did not start: {said}")
        time.sleep(0.02)
    return int(named.read_text())
