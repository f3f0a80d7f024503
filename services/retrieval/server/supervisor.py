"""Keeps one worker that serves: starts it, replaces one that died or hangs, and lets it finish its requests at the end.

Small and of one thread: it holds the listening socket, so that connections wait, and are not refused, while there is no worker.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from services.processes import adopt_orphans, children, end_with_parent
from services.retrieval.server.companion import BAD_SETTINGS, Companion

# Of a beat a second. One that starts imports for seconds, and on a loaded machine for longer.
_SILENT_SECONDS, _START_SECONDS = 10.0, 60.0
_SOON_SECONDS = 10.0  # a worker that dies earlier is not replaced at once: after a second, two, four
_MOST_WAITING_SECONDS = 4.0
_MOST_STARTS = 5  # of workers that die before they serve
_AFTER_DRAIN_SECONDS = 10.0  # for its last answers to be read, and its application to end
_PATIENCE_SECONDS = 10.0  # of a person who waits for the service to be ready
_READY = ord("+")


@dataclass(frozen=True)
class Serving:
    """What a worker is.

    Attributes:
        command: to which the descriptors are added, see worker.py.
        environment: its environment, whole.
        folder: in which it runs.
        drain_seconds: that it may take for requests under way when it is told to end.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    drain_seconds: float


def supervise(
    serving: Serving,
    listener: socket.socket,
    ready: Callable[[], None],
    companion: Companion | None = None,
) -> int:
    """Serve until a signal tells to end, or it cannot be; the exit code.

    Args:
        listener: listening; it is closed.
        ready: called when a worker is ready for the first time.
        companion: kept beside the worker from then on.
    """
    with listener, _signals() as told:
        try:
            return _Supervisor(serving, listener, ready, companion, told).run()
        finally:
            if companion:
                companion.end()


class _Worker:
    """A worker process.

    Attributes:
        pipe: from which its beats are read.
        serves: it has beaten at least once.
        silent: seconds since its last beat.
    """

    def __init__(self, serving: Serving, listener: socket.socket) -> None:
        self.pipe, beat = os.pipe()
        os.set_blocking(self.pipe, False)
        descriptors = ["--listen", str(listener.fileno()), "--beat", str(beat)]
        try:
            self.process = subprocess.Popen(
                [*serving.command, *descriptors],
                env=dict(serving.environment),
                cwd=serving.folder,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=(listener.fileno(), beat),
                start_new_session=True,  # Ctrl-C reaches us alone, who drain
                preexec_fn=partial(end_with_parent, signal.SIGKILL),
            )
        finally:
            os.close(beat)
        self.began = time.monotonic()
        self.serves, self.silent = False, 0.0

    def hear(self) -> bytes:
        """What it has told since it was last heard."""
        try:
            heard = os.read(self.pipe, 4096)
        except BlockingIOError:
            return b""
        if heard:
            self.serves, self.silent = True, 0.0
        return heard

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.began

    @property
    def hangs(self) -> bool:
        return self.silent > (_SILENT_SECONDS if self.serves else _START_SECONDS)

    def kill(self) -> None:
        """End it, and all of its session."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self, others: set[int]) -> None:
        """Leave nothing of one that has ended, and that was waited for.

        Args:
            others: our children that are none of its.
        """
        self.kill()
        os.close(self.pipe)
        for orphan in children() - others:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


class _Supervisor:
    def __init__(
        self,
        serving: Serving,
        listener: socket.socket,
        ready: Callable[[], None],
        companion: Companion | None,
        told: int,
    ) -> None:
        self._serving = serving
        self._listener = listener
        self._ready: Callable[[], None] | None = ready
        self._companion = companion
        self._told = told
        self._worker: _Worker | None = None
        self._start_at: float | None = time.monotonic()  # None: no other is to be started
        self._end_at: float | None = None  # when one that drains has had its time
        self._died = self._unborn = 0
        self._patient = False  # it was told that it takes its time
        self._others = children()
        adopt_orphans()

    def run(self) -> int:
        status = None
        while status is None:
            status = self._step()
        return status

    def _step(self) -> int | None:
        """Wait for something to happen, and see to it; the exit code, if that was the end."""
        self._wait()
        if self._companion:
            self._companion.look()
        signals = [number for number in _read(self._told) if number != signal.SIGCHLD]
        if signals and (status := self._told_to_end()) is not None:
            return status
        if self._worker is None:
            if self._start_at is not None and time.monotonic() >= self._start_at:
                self._worker = _Worker(self._serving, self._listener)
            return None
        return self._look(self._worker)

    def _wait(self) -> None:
        """Wait for a signal or a word of the worker, a second at most."""
        began, seconds = time.monotonic(), 1.0
        if self._worker is None and self._start_at is not None:
            seconds = max(0.0, min(seconds, self._start_at - began))
        select.select([self._told, *([self._worker.pipe] if self._worker else [])], [], [], seconds)
        if self._worker:
            # Counted in our own time: when the whole machine was stopped, it is we who were silent.
            self._worker.silent += min(time.monotonic() - began, 1.0)

    def _told_to_end(self) -> int | None:
        """Drain; told again, end at once."""
        if self._end_at is not None or self._worker is None:
            if self._worker is not None:
                self._worker.kill()
                self._worker.process.wait()
                self._worker.bury(self._others_of_now())
                _say("told to end twice: requests under way were cut off")
            return 0 if self._worker is None else 1
        self._start_at = None
        self._end_at = time.monotonic() + self._serving.drain_seconds + _AFTER_DRAIN_SECONDS
        if self._companion:
            self._companion.end()
        self._listener.close()  # first here: the worker takes what waits, and closes the last copy
        self._worker.process.terminate()
        return None

    def _look(self, worker: _Worker) -> int | None:
        if _READY in worker.hear() and self._ready:
            self._ready()
            self._ready = None
            if self._companion:
                self._companion.start()
        elif self._ready and worker.serves and not self._patient and worker.age > _PATIENCE_SECONDS:
            self._patient = True
            _say("alive, and not ready yet: /readyz says why")
        status = worker.process.poll()
        if status is not None:
            return self._ended(worker, status)
        if self._end_at is not None and time.monotonic() > self._end_at:
            _say("the worker does not end: it is killed")
            worker.kill()
        elif worker.hangs:
            _say(f"the worker has been silent for {worker.silent:.0f} seconds: it is killed")
            worker.kill()
            worker.silent = 0.0
        return None

    def _others_of_now(self) -> set[int]:
        """Our children that are none of the worker's."""
        return self._others | (self._companion.pids if self._companion else set())

    def _ended(self, worker: _Worker, status: int) -> int | None:
        worker.bury(self._others_of_now())
        self._worker = None
        if self._end_at is not None:
            return 0 if status == 0 else 1
        if status == BAD_SETTINGS:
            return BAD_SETTINGS
        self._unborn = 0 if worker.serves else self._unborn + 1
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        if self._unborn == _MOST_STARTS:
            _say(f"{_MOST_STARTS} workers ended before they served, the last {how}: see the lines above")
            return 1
        self._died = self._died + 1 if worker.age < _SOON_SECONDS else 0
        wait = min(2.0 ** (self._died - 2), _MOST_WAITING_SECONDS) if self._died > 1 else 0.0
        _say(f"the worker ended {how}: another is started" + (f" in {wait:g} seconds" if wait else ""))
        self._start_at = time.monotonic() + wait
        return None


@contextmanager
def _signals() -> Iterator[int]:
    """A pipe in which the numbers of signals come that tell to end, or that a child has ended."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    asked = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup asks for
        asked.append(signal.SIGHUP)
    before = {number: signal.signal(number, _nothing) for number in asked}
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """The pipe tells."""


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 4096)
    except BlockingIOError:
        return b""


def _say(text: str) -> None:
    print(f"serve: {text}", file=sys.stderr, flush=True)
