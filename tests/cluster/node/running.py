"""Which processes and control groups a node has, written down so that it is found when whoever started it is gone."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.node import cgroups

_FILE = "node.json"
_END_SECONDS = 30.0


@dataclass
class Running:
    """A node that was started.

    Attributes:
        home: its folder.
        init: id of its first process, as it is called outside.
        since: when that was started, as Linux counts: another process with that id has another.
        groups: its control groups.
        programs: folder of its programs.
        child: the process that was started for it, if by us.
    """

    home: Path
    init: int
    since: int
    groups: list[Path]
    programs: Path
    child: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def of(cls, home: Path, init: int, programs: Path) -> "Running":
        """A node by its first process."""
        groups = [
            parent / cgroups.name_of(home) for parent in cgroups.own(Path("/proc/self/cgroup").read_text())
        ]
        return cls(home, init, _since(init) or 0, groups, programs)

    @classmethod
    def read(cls, home: Path) -> "Running | None":
        """What was written down in a folder; None for nothing."""
        try:
            told = json.loads((home / _FILE).read_text())
        except FileNotFoundError:
            return None
        groups = [Path(group) for group in told["groups"]]
        return cls(home, told["init"], told["since"], groups, Path(told["programs"]))

    def write(self) -> None:
        """Write it down in its folder."""
        told = {
            "init": self.init,
            "since": self.since,
            "groups": list(map(str, self.groups)),
            "programs": str(self.programs),
        }
        (self.home / _FILE).write_text(json.dumps(told))

    def lives(self) -> bool:
        """Whether its first process does."""
        return _since(self.init) == self.since

    def end(self) -> None:
        """End all of its processes, and remove its control groups."""
        if self.lives():
            with suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)  # with the first process of a namespace all others end
        deadline = time.monotonic() + _END_SECONDS
        while self.lives() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.child is not None:
            self.child.wait(_END_SECONDS)
        cgroups.remove(self.groups)
        (self.home / _FILE).unlink(missing_ok=True)


def _since(pid: int) -> int | None:
    """When a process was started; None where there is none, or only what is left of one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])
