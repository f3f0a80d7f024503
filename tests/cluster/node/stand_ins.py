"""Images that elsewhere come from a registry, made of Debian's packages: a pod's pause container, and the code store's server."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.cluster.node import archive, settings
from tests.cluster.node.cache import digest
from tests.cluster.node.debian import Packages, unpack
from tests.cluster.node.places import ROOT, cache
from tests.cluster.node.unavailable import Unavailable

STORE = "docker.io/valkey/valkey"
_SUITE = "sid"  # which has the newest
# The server with TLS and its client, the libraries that they name, and what a shell's scripts need.
_PACKAGES = (
    *("valkey-tools", "valkey-server", "busybox-static", "libc6", "libgcc-s1", "libstdc++6"),
    *("libatomic1", "libcap2", "libjemalloc2", "liblzf1", "libssl3t64", "libsystemd0", "libzstd1", "zlib1g"),
)
_APPLETS = (
    *("sh", "cat", "chmod", "cp", "date", "dd", "df", "du", "grep", "head", "id", "ls", "mkdir", "mv", "nc"),
    *("rm", "sed", "sleep", "sort", "sync", "tail", "tar", "test", "true", "wc"),
)
_USER = 999


def store() -> str:
    """The image of the code store's server, as the manifests name it."""
    told = yaml.safe_load((ROOT / "manifests/base/kustomization.yaml").read_text())
    (tag,) = [image["newTag"] for image in told["images"] if image["name"] == STORE]
    return f"{STORE}:{tag}"


def stand_ins(programs: Path, report: Callable[[str], None], folder: Path | None = None) -> dict[str, Path]:
    """Archives of the images, by their names; they are made where they are not there.

    Args:
        programs: of the node.
        folder: for the archives; one in the cache, if left out.

    Raises:
        Unavailable: Debian has another version of the server than the manifests name.
    """
    made_by = digest([Path(__file__), Path(archive.__file__)])
    folder = folder or cache() / f"images-{made_by}"
    folder.mkdir(parents=True, exist_ok=True)
    server = store()
    pause, valkey = folder / "pause.tar", folder / f"valkey-{server.rpartition(':')[2]}.tar"
    if not pause.exists():
        _finish(pause, settings.PAUSE, _pause(programs, folder / "pause.half"), ["/pause"])
    if not valkey.exists():
        report(f"making {server} of Debian's packages")
        _finish(valkey, server, _valkey(server, folder / "valkey.half"))
    return {settings.PAUSE: pause, server: valkey}


def _pause(programs: Path, half: Path) -> Path:
    root = half / "root"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(programs / "bin/pause", root / "pause")
    return root


def _valkey(server: str, half: Path) -> Path:
    shutil.rmtree(half, ignore_errors=True)
    root = half / "root"
    for place in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / place).mkdir(parents=True)
        (root / place).symlink_to(f"usr/{place}")
    for package in Packages(half / "apt", _SUITE).fetch(_PACKAGES, half / "packages"):
        unpack(package, root)
    for place in ("etc", "usr/share", "usr/lib/systemd", "var"):
        shutil.rmtree(root / place, ignore_errors=True)
    for place in ("data", "etc", "tmp"):
        (root / place).mkdir()
        (root / place).chmod(0o1777 if place == "tmp" else 0o777 if place == "data" else 0o755)
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\nvalkey:x:{_USER}:{_USER}::/data:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\nvalkey:x:{_USER}:\n")
    for name in _APPLETS:
        (root / "usr/bin" / name).symlink_to("busybox")
    asked = subprocess.run(
        ["chroot", root, "/usr/bin/valkey-server", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"v=(\S+)", asked.stdout)
    if not found or found[1] != server.rpartition(":")[2]:
        said = found[1] if found else asked.stderr.strip() or "nothing that runs"
        raise Unavailable(f"the manifests name {server}, and Debian {_SUITE} has {said}")
    return root


def _finish(file: Path, name: str, root: Path, entrypoint: list[str] | None = None) -> None:
    """Write an archive, all of it or nothing."""
    part = file.with_suffix(".part")
    archive.write(part, name, root, entrypoint or [], "/data" if name != settings.PAUSE else "/")
    part.rename(file)
    shutil.rmtree(root.parent)
