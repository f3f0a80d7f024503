"""The first process of a node: its mounts, network and certificates, then its daemons.

python -m tests.cluster.node.init HOME PROGRAMS, in namespaces and control groups of its own.
"""

import argparse
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.cluster.node import certificates, network, settings
from tests.cluster.node.cgroups import HIERARCHIES
from tests.cluster.node.places import ROOT
from tests.cluster.node.supervise import Daemons

# What kubelet wants to be so, and what is the whole machine's.
_SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
_PORTS = {"etcd": 2379, "apiserver": network.API_PORT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path, help="folder of the node")
    parser.add_argument("programs", type=Path, help="folder of its programs")
    given = parser.parse_args()
    (given.home / "init.pid").write_text(Path("/proc/self").readlink().name)  # as it is called outside
    path = settings.path_of(given.programs)
    os.environ["PATH"] = path
    _mount(given.home)
    _connect()
    socket.sethostname(network.NAME)
    if not settings.PKI.exists():
        certificates.write(settings.PKI)
    for name, text in settings.files(given.programs / "root").items():
        file = settings.HOME / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOME": "/root"}
    daemons = Daemons(settings.HOME / "log", environment)
    for name, words in settings.words(sys.executable).items():
        daemons.start(name, words)
        if name in _PORTS:
            daemons.until(partial(_listens, _PORTS[name]))
        if name == "containerd":
            daemons.until(settings.CONTAINERD.exists)
    daemons.forever()


def _mount(home: Path) -> None:
    _run("mount", "-t", "proc", "proc", "/proc")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in ("lock", "netns", "node"):
        Path("/run", folder).mkdir()
    _run("mount", "--bind", str(home), str(settings.HOME))
    for group in sorted(HIERARCHIES.iterdir()):
        if group.is_dir() and not group.is_symlink() and group.name != "unified":
            named = f"none,name={group.name}" if group.name == "systemd" else group.name
            _run("umount", str(group))
            _run("mount", "-t", "cgroup", "-o", named, "cgroup", str(group))
    for name, value in _SYSCTLS.items():
        stand_in = Path("/run/sysctl", name.replace("/", "."))
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"{value}\n")
        _run("mount", "--bind", str(stand_in), f"/proc/sys/{name}")
    _run("mount", "--make-rshared", "/")  # what kubelet mounts, containers see


def _connect() -> None:
    """A network with the node's addresses, from which nothing leads out."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node0", "type", "bridge")
    for address in (network.NODE, network.DNS):
        _run("ip", "address", "add", f"{address}/{network.PREFIX}", "dev", "node0")
    _run("ip", "link", "set", "node0", "up")
    _run("ip", "route", "add", "default", "via", network.NODE, "dev", "node0")
    for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        Path("/proc/sys/net", name).write_text("1")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
