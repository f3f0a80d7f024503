"""Child processes that never outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil  # type: ignore[import-untyped]

STOP_SECONDS = 30.0


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """Start a command in a session of its own, its output piped; end it and all it started on leaving.

    Ctrl-C in the terminal reaches only us, so that we decide in which order things stop.
    """
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: "subprocess.Popen[str] | subprocess.Popen[bytes]", seconds: float | None = None) -> None:
    """End the leader of a session and all it started, also what left the session: first asked, then killed.

    Only the session is asked; what left it is asked by whoever started it.

    Args:
        seconds: in which they may end by themselves, STOP_SECONDS if left out.
    """
    seconds = STOP_SECONDS if seconds is None else seconds
    deadline = time.monotonic() + seconds
    descendants = _descendants(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    for straggler in psutil.wait_procs(descendants, max(0.0, deadline - time.monotonic()))[1]:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    with suppress(ProcessLookupError):  # the leader, and members started meanwhile
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def end_session(leader: int, seconds: float | None = None, number: signal.Signals = signal.SIGTERM) -> None:
    """End a session that somebody else may have started, and all that its leader started: first asked, then killed.

    Args:
        leader: id of the process that leads it, which must not be another's by now.
        seconds: in which they may end by themselves, STOP_SECONDS if left out.
        number: the signal by which they are asked.
    """
    found = _descendants(leader)
    with suppress(psutil.NoSuchProcess):
        found.append(psutil.Process(leader))
    with suppress(ProcessLookupError):
        os.killpg(leader, number)
    for straggler in psutil.wait_procs(found, STOP_SECONDS if seconds is None else seconds)[1]:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_children(seconds: float = 5.0) -> None:
    """End all that this process started, and what that started: first asked, then killed."""
    descendants = _descendants(os.getpid())
    for process in descendants:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for straggler in psutil.wait_procs(descendants, seconds)[1]:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Have Linux send this process a signal should its parent be killed without a chance to do so; also as `preexec_fn`.

    The parent is the thread that started it, and must last.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)


def adopt_orphans() -> None:
    """Have Linux give us, not the first process, what our children leave behind."""
    if sys.platform == "linux":
        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1)


def children() -> set[int]:
    """Ids of the processes that this one started or has adopted, those included that have ended and nobody waited for."""
    return {child.pid for child in psutil.Process().children()}


def _descendants(pid: int) -> list[psutil.Process]:
    """All that a process started, and what that started, whatever session they are in."""
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
