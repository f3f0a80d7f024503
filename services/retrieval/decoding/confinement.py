"""What a decoder lets the system do to it, so that no picture can do more. Linux; elsewhere only CPU is bounded."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.retrieval.decoding.wire import Bounds

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # prctl(2)
_OPEN_FILES = 16


def end_with_owner() -> None:
    """Be killed with the process that started this one, and by nothing that is meant for that one."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for asked in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # sent to a whole group; what is under way is to be finished
        signal.signal(asked, signal.SIG_IGN)
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def confine(bounds: Bounds) -> None:
    """Bound this process for good: memory, files, processes, privileges."""
    os.nice(bounds.niceness)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for what, most in {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: 0,
    }.items():
        resource.setrlimit(what, (most, most))
    if _LINUX:
        # All address space, since an allocation of any kind counts in it, where RLIMIT_DATA leaves out shared ones.
        most = _address_space() + bounds.memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End this process by SIGPROF should it use more CPU; that needs no help of whatever holds the CPU."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()
