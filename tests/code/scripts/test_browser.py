"""scripts/browser, with stand-ins for Chromium and npm: the real ones need a network."""

import base64
import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import project_of, said_by

TOOLS = ("dirname", "gzip", "mkdir", "mktemp", "mv", "openssl", "rm", "sh", "tar")
NPM = """#!/bin/sh
[ -e "$PROJECT/reached" ] && tar cz -C "$PROJECT" -f "axe-core-${3##*@}.tgz" package
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with Chromium, and npm that reaches its registry."""
    nothing = "#!/bin/sh\n"
    project_of(tmp_path, "browser", TOOLS, {"chromium": nothing, "chromedriver": nothing, "npm": NPM})
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "axe.min.js").write_text("axe = {};")
    (tmp_path / "reached").touch()
    return tmp_path


def browser(project: Path) -> str:
    return said_by(project, "browser")


def left(project: Path) -> list[str]:
    return sorted(entry.name for entry in (project / ".cache" / "browser").iterdir())


def test_it_is_taken_once_and_only_as_it_is_written_down(project: Path) -> None:
    script = project / "scripts" / "browser"
    assert "is not axe-core" in browser(project)
    assert left(project) == []
    packed = project / "packed.tgz"
    subprocess.run(["tar", "cz", "-C", project, "-f", packed, "package"], check=True)
    integrity = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    script.write_text(re.sub("AXE_INTEGRITY=.*", f"AXE_INTEGRITY=sha512-{integrity}", script.read_text()))
    (project / ".cache" / "browser" / "axe-1.0.0.min.js").touch()
    assert "getting axe-core" in browser(project)
    version = re.search("AXE=(.*)", script.read_text())
    assert version
    assert left(project) == [f"axe-{version[1]}.min.js"]
    assert browser(project) == ""


def test_what_is_not_to_be_had_is_said(project: Path) -> None:
    (project / "reached").unlink()
    assert "npm could not get axe-core" in browser(project)
    (project / "bin" / "npm").unlink()
    assert "no npm and openssl here" in browser(project)
    (project / "bin" / "chromium").unlink()
    assert "no chromium and chromedriver here" in browser(project)
