"""Daemons that are started again when they end."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_AGAIN_SECONDS = 2.0
_LOOK_SECONDS = 0.2


class Daemons:
    """Those of the first process of a node; each writes to a file of its own.

    Args:
        logs: folder for what they say.
        environment: of all of them.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = environment
        self._words: dict[str, Sequence[str]] = {}
        self._running: dict[int, str] = {}
        self._due: dict[str, float] = {}

    def start(self, name: str, words: Sequence[str]) -> None:
        """Start one, now and whenever it has ended."""
        self._words[name] = words
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                words,
                env=self._environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process.returncode = 0  # `look` waits for all children, so Popen must not
        self._running[process.pid] = name

    def until(self, ready: Callable[[], bool]) -> None:
        """Look after them until something is there."""
        while not ready():
            self.look()
            time.sleep(_LOOK_SECONDS)

    def forever(self) -> None:
        """Look after them for as long as the node lives."""
        self.until(lambda: False)

    def look(self) -> None:
        """Bury what has ended, orphans too, and start again what is due."""
        while (ended := _ended()) is not None:
            pid, status = ended
            if name := self._running.pop(pid, None):
                with (self._logs / f"{name}.log").open("a") as log:
                    log.write(
                        f"--- {name} ended with {os.waitstatus_to_exitcode(status)} and is started again\n"
                    )
                self._due[name] = time.monotonic() + _AGAIN_SECONDS
        for name in [name for name, when in self._due.items() if when <= time.monotonic()]:
            del self._due[name]
            self.start(name, self._words[name])


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None
