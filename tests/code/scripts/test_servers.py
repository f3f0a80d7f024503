"""scripts/servers, with stand-ins for apt-get and dpkg: the real ones need a network and Debian 12."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, project_of, said_by

TOOLS = ("basename", "cat", "chmod", "dirname", "grep", "head", "mkdir", "mktemp", "mv", "rm", "sh", "touch")

APT_GET = """#!/bin/sh
echo "$*" >>"$PROJECT/calls"
case "$*" in
*update*) touch "$PROJECT/lists" ;;
*) [ -e "$PROJECT/lists" ] && touch redis-server.deb redis-tools.deb ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/lib/some-linux-gnu"
for program in redis-server redis-cli; do
    printf '#!/bin/sh\\necho "Redis server v=%s $LD_LIBRARY_PATH"\\n' "$(cat "$PROJECT/version")" >"$3/usr/bin/$program"
    chmod 755 "$3/usr/bin/$program"
done
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose package lists are fetched, and whose Debian has Redis 7.0.15."""
    project_of(tmp_path, "servers", TOOLS, {"apt-get": APT_GET, "dpkg": DPKG})
    (tmp_path / "version").write_text("7.0.15")
    (tmp_path / "lists").touch()
    return tmp_path


def servers(project: Path) -> str:
    """What the script prints; it leaves nothing half."""
    said = said_by(project, "servers")
    left = project / ".cache" / "servers"
    assert not left.exists() or {entry.name for entry in left.iterdir()} <= {"redis-7.0"}
    return said


def test_it_is_unpacked_once_and_runs_with_its_own_libraries(project: Path) -> None:
    unpacked = project / ".cache" / "servers" / "redis-7.0"
    assert servers(project) == "servers: unpacking Debian's redis-server into .cache/servers/redis-7.0\n"
    assert servers(project) == ""
    assert len((project / "calls").read_text().splitlines()) == 1
    for program in ("redis-server", "redis-cli"):
        said = subprocess.run(
            [unpacked / program], cwd="/", check=True, capture_output=True, text=True
        ).stdout
        assert said == f"Redis server v=7.0.15 {unpacked / 'usr/lib/some-linux-gnu'}\n"


def test_absent_lists_are_fetched(project: Path) -> None:
    (project / "lists").unlink()
    assert "skipped" not in servers(project)
    assert [call.split()[1] for call in (project / "calls").read_text().splitlines()] == [
        "download",
        "update",
        "download",
    ]


def test_why_it_cannot_be_had_is_one_line(project: Path) -> None:
    (project / "version").write_text("8.0.2")
    (said,) = servers(project).splitlines()[1:]
    assert said.startswith("servers: what apt-get has is not Redis 7.0 (Redis server v=8.0.2 ")
    (project / "bin" / "apt-get").write_text("#!/bin/sh\necho no network >&2; exit 100\n")
    (said,) = servers(project).splitlines()[1:]
    assert said.startswith("servers: apt-get could not download redis-server ")
    (project / "bin" / "apt-get").unlink()
    assert servers(project) == (
        "servers: no apt-get and dpkg here to get Debian's redis-server with, so the tests on Redis 7.0 are skipped\n"
    )


def test_make_test_calls_it() -> None:
    recipes = (ROOT / "Makefile").read_text().split("\n\n")
    for target in ("test:", "test-all:"):
        (recipe,) = [recipe for recipe in recipes if recipe.startswith(target)]
        assert "sh scripts/servers" in recipe
    assert os.access(ROOT / "scripts" / "servers", os.X_OK)
