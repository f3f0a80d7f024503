"""Control groups of a node: one below our own in every hierarchy, which the node takes for the root."""

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

HIERARCHIES = Path("/sys/fs/cgroup")
NEEDED = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")


def name_of(home: Path) -> str:
    """That of the groups of a node, by the folder of the node."""
    return f"taxohash-{hashlib.sha256(bytes(home)).hexdigest()[:12]}"


def own(text: str, hierarchies: Path = HIERARCHIES) -> list[Path]:
    """Our own groups, one of each hierarchy of version 1.

    Args:
        text: of /proc/self/cgroup.
        hierarchies: where they are mounted.
    """
    found = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = hierarchies / controllers.removeprefix("name=")
        if controllers and mount.is_dir():
            inside = mount / path.lstrip("/")
            found.append(
                inside if inside.is_dir() else mount
            )  # a container may see its own group as the root
    return found


def missing(hierarchies: Path = HIERARCHIES) -> list[str]:
    """Controllers that kubelet needs and that have no hierarchy of version 1."""
    return [name for name in NEEDED if not (hierarchies / name / "tasks").exists()]


def of(home: Path) -> list[Path]:
    """The groups of a node that we start, whether they are there or not."""
    return [parent / name_of(home) for parent in own(Path("/proc/self/cgroup").read_text())]


def make(home: Path) -> list[Path]:
    """Make the groups of a node."""
    groups = of(home)
    for group in groups:
        group.mkdir(exist_ok=True)
        for setting in (
            "cpuset.cpus",
            "cpuset.mems",
        ):  # of a new group they are empty, and it takes no process
            if (group / setting).exists():
                (group / setting).write_text((group.parent / setting).read_text())
    return groups


def join(groups: Iterable[Path]) -> None:
    """Put this process into groups."""
    for group in groups:
        (group / "cgroup.procs").write_text("0")


def remove(groups: Iterable[Path], seconds: float = 10.0) -> None:
    """Remove groups and all below them, as soon as their last process has ended; what is then left is left."""
    deadline = time.monotonic() + seconds
    left = [group for group in groups if group.is_dir()]
    while left and time.monotonic() < deadline:
        for group in left:
            for folder in sorted((file.parent for file in group.rglob("cgroup.procs")), reverse=True):
                with suppress(OSError):
                    folder.rmdir()
        left = [group for group in left if group.is_dir()]
        time.sleep(0.05 if left else 0)
