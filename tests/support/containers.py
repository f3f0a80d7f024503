"""Images as archives, unpacked and run without a container engine, as root: namespaces of Linux and a read-only root."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Root file system, user, working directory, then what is run. Only /tmp and /dev can be written, as in a restricted pod.
_CONFINED = """
set -eu
root=$1 user=$2 place=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env --chdir="$place" "$@"
"""


_GONE, _ALL = ".wh.", ".wh..opq"  # before a name, or in its place, as OCI's layers have it


@dataclass(frozen=True)
class Image:
    """An image whose layers are unpacked.

    Attributes:
        settings: `config` of the image's configuration: User, Env, Cmd, WorkingDir.
        digest: of that configuration, by which the layers are named too: sha256 in hex.
        layers: bytes of each, the base first.
    """

    root: Path
    settings: dict[str, Any]
    digest: str
    layers: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        files = (path.lstat() for path in self.root.rglob("*") if path.is_symlink() or path.is_file())
        return sum(found.st_size for found in {(found.st_ino): found for found in files}.values())

    def start(
        self, variables: Mapping[str, str], command: Sequence[str] = (), **pipes: Any
    ) -> "subprocess.Popen[bytes]":
        """Run it, or another command in it; what it starts ends with the process returned."""
        own = dict(entry.split("=", 1) for entry in self.settings["Env"])
        told = [f"{name}={value}" for name, value in {**own, **variables}.items()]
        place = self.settings.get("WorkingDir") or "/"
        words = ["-i", *told, *(command or self.settings["Cmd"])]
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _CONFINED, "sh",
             str(self.root), self.settings["User"], place, *words], **pipes,
        )  # fmt: skip

    def said(self, variables: Mapping[str, str], *command: str) -> str:
        """What a command prints in it, which ends well."""
        with self.start(variables, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err.decode()
        return out.decode()


def _take_away(mark: Path) -> None:
    """What a layer has no more of those below: one name, or all that is in a folder."""
    name = mark.name.removeprefix(_GONE)
    for gone in mark.parent.glob("*") if name == _ALL else [mark.with_name(name)]:
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink(missing_ok=True)


def unpacked(archive: Path, root: Path) -> Image:
    """Unpack an archive of `docker save`, as root."""
    root.mkdir(parents=True)
    with tarfile.open(archive) as whole:

        def read(name: str) -> bytes:
            member = whole.extractfile(name)
            assert member
            return member.read()

        (manifest,) = json.loads(read("manifest.json"))
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(name)) as layer:
                entries = layer.getmembers()
                for entry in entries:
                    if Path(entry.name).name.startswith(_GONE):
                        _take_away(root / entry.name)
                kept = [entry for entry in entries if not Path(entry.name).name.startswith(_GONE)]
                layer.extractall(root, kept, numeric_owner=True, filter="fully_trusted")
        layers = tuple(whole.getmember(name).size for name in manifest["Layers"])
        settings = json.loads(read(manifest["Config"]))["config"]
    return Image(root, settings, manifest["Config"].removesuffix(".json"), layers)
