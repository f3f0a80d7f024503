"""Whether this machine can run a node."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests.cluster.node import cgroups
from tests.cluster.node.unavailable import Unavailable

_PROGRAMS = {"unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "mount": "mount"}
_BRIDGES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_NAMESPACES = ("--net", "--mount", "--pid", "--cgroup", "--uts", "--ipc")


def check() -> None:
    """Return where a node can be run.

    Raises:
        Unavailable: not here; says why.
    """
    if platform.machine() != "x86_64":
        raise Unavailable(f"this machine is {platform.machine()}, and the node is made for x86_64")
    if os.geteuid() != 0:
        raise Unavailable("root only can start a node")
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise Unavailable(f"no {program} here: the node is made of Debian's packages")
    for program, package in _PROGRAMS.items():
        if not shutil.which(program):
            raise Unavailable(f"no {program} here: it is in Debian's package {package}")
    if lacking := cgroups.missing():
        raise Unavailable(
            f"no control groups of version 1 below {cgroups.HIERARCHIES} for {', '.join(lacking)}: "
            "start Linux with systemd.unified_cgroup_hierarchy=0"
        )
    done = subprocess.run(
        ["unshare", *_NAMESPACES, "--fork", "true"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"no namespaces of our own: {done.stderr.strip()}")
    _module("overlay", "overlay" in Path("/proc/filesystems").read_text())
    _module("br_netfilter", _BRIDGES.exists())


def _module(name: str, there: bool) -> None:
    """Have Linux load a part of itself, where it is not there yet."""
    modprobe = shutil.which("modprobe")
    if there or (modprobe and not subprocess.run([modprobe, "-q", name], check=False).returncode):
        return
    raise Unavailable(f"Linux has no {name} here, and modprobe cannot load it")
