"""What the demo reads from the output of the processes it started."""

import re
import subprocess
from collections.abc import Iterator, Sequence

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str]:
    """The lines that a process prints, without their colours."""
    assert process.stdout is not None
    return (COLOUR.sub("", line) for line in process.stdout)


def last_of(lines: Sequence[str]) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
