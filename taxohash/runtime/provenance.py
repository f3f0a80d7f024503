"""Which code made a result."""

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
    return {
        "version": __version__,
        "commit": commit,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
