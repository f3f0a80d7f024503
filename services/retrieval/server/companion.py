"""A process that is kept beside the worker: started again when it ends, ended with us, and never in the worker's way."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from services.processes import end_with_parent, stop

BAD_SETTINGS = 2  # exit code of a process that another start would not help
_LIVED_SECONDS = 30.0  # one that ends earlier is not started again at once: after a second, two, four
_MOST_WAITING_SECONDS = 60.0
_END_SECONDS = 5.0


class Companion:
    """The process, which is not started yet. Of the thread that makes it alone."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command, self._environment, self._folder = command, environment, folder
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at: float | None = None  # None: it is not to be started
        self._began = 0.0
        self._wait = 1.0

    @property
    def pids(self) -> set[int]:
        """Its process, if it runs."""
        return {self._process.pid} if self._process else set()

    def start(self) -> None:
        """Have it run from now on."""
        self._start_at = self._clock()
        self.look()

    def look(self) -> None:
        """See to it: start it where its time has come, and notice where it has ended. To be called again and again."""
        if self._process and (status := self._process.poll()) is not None:
            self._ended(status)
        if self._process is None and self._start_at is not None and self._clock() >= self._start_at:
            self._begin()

    def end(self) -> None:
        """End it, and do not start it again."""
        self._start_at = None
        if self._process:
            stop(self._process, _END_SECONDS)
            self._process = None

    def _begin(self) -> None:
        self._began = self._clock()
        self._process = subprocess.Popen(
            self._command,
            env=dict(self._environment),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,  # Ctrl-C reaches us alone
            preexec_fn=partial(end_with_parent, signal.SIGTERM),
        )

    def _ended(self, status: int) -> None:
        self._process = None
        if status == BAD_SETTINGS:
            self._start_at = None
            return
        now = self._clock()
        if now - self._began > _LIVED_SECONDS:
            self._wait = 1.0
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        print(f"serve: the backfill ended {how}: again in {self._wait:g} s", file=sys.stderr, flush=True)
        self._start_at = now + self._wait
        self._wait = min(2 * self._wait, _MOST_WAITING_SECONDS)
