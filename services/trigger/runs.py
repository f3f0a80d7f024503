"""Runs as processes: each is begun once, outlives a killed trigger, and is found again by the next.

Of one trigger's runs one process is there at a time. It holds a lock that the kernel lets go of when the process ends, however that
is: so whoever finds the lock taken has found a run, and neither a number of a process nor a heartbeat has to be believed. What the
run prints lies in a folder of its name, and its exit code after it; the file for its output is made by its process alone, and tells
that there was one.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from services.processes import end_session
from services.runs import REFUSED_CODE, Outcome, Verdict
from services.trigger.records import Run
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable, shortened

STOP_SECONDS = 20.0
# The shell outlives the signals that the run heeds, to write its exit code. It says nothing itself.
_LAUNCH = (
    'exec 2>/dev/null; echo $$ >"$0/pid"; trap : INT TERM; '
    '(exec "$@" >"$0/out" 2>"$0/log" </dev/null); echo $? >"$0/code"'
)
# The command refused what it was given, or it cannot be executed or is not there, as a shell has it.
_FINAL_CODES = (REFUSED_CODE, 126, 127)
_MOST_BYTES = 1024 * 1024
_MOST_REASON = 300  # characters


class Ended(NamedTuple):
    """A run that is over.

    Attributes:
        told: it came to its own end, where it notifies whoever is to be notified.
        final: another try would come to the same.
    """

    outcome: Outcome
    told: bool
    final: bool = False


class Runs:
    """The runs of one collection on this machine."""

    def __init__(self, folder: Path, collection: str, words: Callable[[Run], Sequence[str]]) -> None:
        """Make the folder.

        Args:
            words: the command that makes a run.

        Raises:
            TaxohashError: the folder cannot be made.
        """
        self._folder, self._collection, self._words = folder, collection, words
        self._lock = folder / "running"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.touch()
        except OSError as error:
            raise TaxohashError(
                f"folder of runs {folder} cannot be used ({error.strerror}): name another in TAXOHASH_TRIGGER_FOLDER"
            ) from None

    def follow(self, run: Run) -> Ended | None:
        """What came of a run, None while it runs; begun here if it is not yet."""
        handle = self._taken()
        if handle is None:
            return None
        try:
            if (self._of(run) / "out").exists():
                return self._ended(run)
            if run.cancelled:
                return self._without(run, Verdict.INTERRUPTED, "it was cancelled before it began")
            return self._begin(run, handle)
        finally:
            os.close(handle)

    def cancel(self, run: Run, seconds: float = STOP_SECONDS) -> None:
        """End a run, wherever it takes place: by SIGTERM, and by SIGKILL what does not heed it."""
        self._signal(run, signal.SIGTERM, seconds)

    def leave(self, run: Run, seconds: float = STOP_SECONDS) -> None:
        """End our part of a run, as Ctrl-C does, and let the next trigger begin it again by its name.

        What takes place here ends, and is taken up from where it was; what takes place on Kubeflow goes on, and is followed. One
        that came to its own end meanwhile is not begun again.
        """
        self._signal(run, signal.SIGINT, seconds)
        end = self._ended(run)
        if not end.told or end.outcome.verdict is Verdict.INTERRUPTED:
            shutil.rmtree(self._of(run), ignore_errors=True)

    def _signal(self, run: Run, number: signal.Signals, seconds: float) -> None:
        """End the processes of a run that are here."""
        if (lock := self._taken()) is not None:
            os.close(lock)
            return
        with suppress(OSError, ValueError):
            end_session(int((self._of(run) / "pid").read_text()), seconds, number)

    def prune(self, kept: set[str]) -> None:
        """Remove what was printed by other runs than these."""
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def log_of(self, name: str) -> str | None:
        """The last that a run of this name said on standard error; None where it began elsewhere, or is not kept any more."""
        file = self._folder / name / "log"
        return "".join(f"{line}\n" for line in _tail(file)) if file.is_file() else None

    def _of(self, run: Run) -> Path:
        return self._folder / run.name

    def _taken(self) -> int | None:
        """The lock, where no run has it."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
        return handle

    def _begin(self, run: Run, lock: int) -> Ended | None:
        folder = self._of(run)
        folder.mkdir(exist_ok=True)
        command = ["/bin/sh", "-c", _LAUNCH, str(folder), *self._words(run)]
        try:
            process = subprocess.Popen(command, pass_fds=(lock,), start_new_session=True)
        except OSError as error:
            return self._without(run, Verdict.FAILED, f"it could not be started ({error.strerror})")
        threading.Thread(target=process.wait, name="run", daemon=True).start()  # so that no zombie is left
        return None

    def _ended(self, run: Run) -> Ended:
        lines = _tail(self._of(run) / "out")
        with suppress(TaxohashError, IndexError):
            return Ended(Outcome.of_json(lines[-1]), told=True)
        said = _tail(self._of(run) / "log") or lines or ["and said nothing"]
        words = shortened(printable(said[-1]), _MOST_REASON)
        if self._code(run) in _FINAL_CODES:
            return self._without(run, Verdict.FAILED, words, final=True)
        return self._without(run, Verdict.FAILED, f"it ended without an outcome: {words}")

    def _code(self, run: Run) -> int | None:
        """The exit code of a run's command; None where the shell was ended before it could tell."""
        with suppress(OSError, ValueError):
            return int((self._of(run) / "code").read_text())
        return None

    def _without(self, run: Run, verdict: Verdict, reason: str, *, final: bool = False) -> Ended:
        """The end of a run that told no outcome."""
        outcome = Outcome(
            run=run.name,
            pipeline=run.pipeline,
            collection=self._collection,
            verdict=verdict,
            reason=reason,
            started=run.began,
            data_md5=run.data.md5 if run.data else "",
        )
        return Ended(outcome, told=False, final=final)


def _tail(path: Path) -> list[str]:
    """The last lines of a file that are not blank; none where it is not there."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_BYTES))
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
        return [line for line in text.splitlines() if line.strip()]
    return []
