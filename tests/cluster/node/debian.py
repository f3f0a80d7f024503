"""Debian's packages, fetched and unpacked below a folder: nothing is installed, and apt's own lists are left alone."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.node.unavailable import Unavailable

SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = re.compile(r"https?://\S+/debian/?(?=\s|$)")


def mirror(sources: Path = SOURCES) -> str:
    """The address from which this machine's own apt has Debian's packages.

    Args:
        sources: where apt keeps its settings.

    Raises:
        Unavailable: it names none.
    """
    files = [sources / "sources.list", *sorted(sources.glob("sources.list.d/*"))]
    for file in files:
        for line in file.read_text().splitlines() if file.is_file() else ():
            if line.startswith(("deb ", "URIs:")) and (found := _MIRROR.search(line)):
                return found[0]
    raise Unavailable(f"apt has no mirror of Debian: none is named below {sources}")


class Packages:
    """apt with lists of its own.

    Args:
        folder: for its lists.
        suite: of Debian.

    Raises:
        Unavailable: the mirror cannot be reached.
    """

    def __init__(self, folder: Path, suite: str) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        where = f"[signed-by={KEYRING}] {mirror()} {suite} main"
        (folder / "sources.list").write_text(f"deb {where}\ndeb-src {where}\n")
        self._apt(folder, "update", "the lists of packages")

    def fetch(self, names: Iterable[str], folder: Path) -> list[Path]:
        """Packages, as files in a folder.

        Raises:
            Unavailable: one is not to be had.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._apt(folder, "download", *names)
        return sorted(folder.glob("*.deb"))

    def source(self, name: str, version: str, folder: Path) -> None:
        """The files of a source package, not unpacked.

        Raises:
            Unavailable: the mirror does not have that version.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._apt(folder, "source", "--download-only", f"{name}={version}")

    def _apt(self, folder: Path, command: str, *words: str) -> None:
        options = {
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        # Of `update` the words only say what it is for.
        asked = [] if command == "update" else list(words)
        done = subprocess.run(
            ["apt-get", "-qq", *given, command, *asked], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
            raise Unavailable(f"apt-get cannot get {' '.join(words)} from {mirror()}: {said}")


def unpack(package: Path, folder: Path) -> None:
    """The files of a package, below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg", "-x", package, folder], check=True)
