"""Which code made a result, and how it was started."""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from taxohash import __version__

UNKNOWN = "unknown"
_COMMAND: ContextVar[str | None] = ContextVar("command", default=None)


def revision() -> dict[str, str]:
    """Version, commit and command of this process, for whatever it writes."""
    commit = UNKNOWN
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()
    return {"version": __version__, "commit": commit, "command": command()}


@contextlib.contextmanager
def started_as(text: str) -> Iterator[None]:
    """While the block lasts, `command` says this: for a process that nobody typed, and whose words name folders of a moment."""
    token = _COMMAND.set(text)
    try:
        yield
    finally:
        _COMMAND.reset(token)


def command() -> str:
    """How this process was started, as it would be typed: `taxohash train ...`, `python -m package.module ...`."""
    if (said := _COMMAND.get()) is not None:
        return said
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    # A folder or an archive that is run has a specification too, by the name of its file __main__.py.
    if spec is None or spec.name == "__main__":
        return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return shlex.join(["python", "-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]])
