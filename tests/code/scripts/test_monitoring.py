"""scripts/monitoring, with stand-ins for apt-get and dpkg: the real ones need a network and Debian."""

import os
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, project_of, said_by

TOOLS = ("dirname", "mkdir", "mktemp", "mv", "rm", "sed", "sh", "touch", "chmod")
PACKAGES = "prometheus prometheus-alertmanager prometheus-redis-exporter"
APT_GET = """#!/bin/sh
echo "$*" >>"$PROJECT/calls"
touch prometheus.deb
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin"
for program in prometheus promtool prometheus-alertmanager amtool prometheus-redis-exporter; do
    printf '#!/bin/sh\\nexit %s\\n' "$RUNS" >"$3/usr/bin/$program"
    chmod 755 "$3/usr/bin/$program"
done
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_of(tmp_path, "monitoring", TOOLS, {"apt-get": APT_GET, "dpkg": DPKG})


def monitoring(project: Path, runs: int = 0) -> str:
    """What the script prints; it leaves nothing half."""
    said = said_by(project, "monitoring", RUNS=str(runs))
    left = project / ".cache"
    assert not left.exists() or {entry.name for entry in left.iterdir()} <= {"monitoring"}
    return said


def test_it_is_unpacked_once(project: Path) -> None:
    assert "unpacking" in monitoring(project)
    assert monitoring(project) == ""
    assert (project / "calls").read_text() == f"-qq download {PACKAGES}\n"


def test_why_it_cannot_be_had_is_one_line(project: Path) -> None:
    (said,) = monitoring(project, runs=1).splitlines()[1:]
    assert said == "monitoring: what apt-get has does not run here, so the tests with Prometheus are skipped"
    (project / "bin" / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    (said,) = monitoring(project).splitlines()[1:]
    assert said.startswith(f"monitoring: apt-get could not download {PACKAGES}, so")
    (project / "bin" / "dpkg").unlink()
    assert monitoring(project).startswith("monitoring: no apt-get and dpkg here")


def test_make_calls_it() -> None:
    recipes = (ROOT / "Makefile").read_text().split("\n\n")
    for target in ("test:", "test-all:", "loop:"):
        (recipe,) = [recipe for recipe in recipes if recipe.startswith(target)]
        assert "sh scripts/monitoring" in recipe
    assert os.access(ROOT / "scripts" / "monitoring", os.X_OK)
