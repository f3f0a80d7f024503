"""Which code made a result, and how it was started."""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path

from taxohash import __version__

UNKNOWN = "unknown"


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


def command() -> str:
    """How this process was started, as it would be typed: `taxohash train ...`, `python -m package.module ...`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    # A folder or an archive that is run has a specification too, by the name of its file __main__.py.
    if spec is None or spec.name == "__main__":
        return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return shlex.join(["python", "-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]])
