"""scripts/checkov, with a stand-in for Python: the real one needs a network."""

import os
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, project_of, said_by

TOOLS = ("dirname", "mkdir", "rm", "sh", "touch", "chmod", "cp")
(VERSION,) = (
    line.partition("=")[2]
    for line in (ROOT / "scripts" / "checkov").read_text(encoding="utf-8").splitlines()
    if line.startswith("VERSION=")
)
# Makes an environment whose pip installs a checkov of a version, or nothing.
PYTHON = """#!/bin/sh
echo "$*" >>"$PROJECT/calls"
case $2 in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip)
    [ "$HAD" ] || exit 1
    folder=${0%/*}
    printf '#!/bin/sh\\necho %s\\n' "$HAD" >"$folder/checkov"
    chmod 755 "$folder/checkov"
    ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = project_of(tmp_path, "checkov", TOOLS, {})
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return project


def test_it_is_installed_once(project: Path) -> None:
    assert "installing" in said_by(project, "checkov", HAD=VERSION)
    assert said_by(project, "checkov", HAD=VERSION) == ""
    assert f"checkov=={VERSION}" in (project / "calls").read_text()


@pytest.mark.parametrize(("had", "why"), [("", "pip could not install"), ("1.0", "does not run here")])
def test_why_it_cannot_be_had_is_one_line(project: Path, had: str, why: str) -> None:
    (said,) = said_by(project, "checkov", HAD=had).splitlines()[1:]
    assert why in said
    assert said.endswith("so the tests with it are skipped")


def test_make_calls_it() -> None:
    (recipe,) = (own for own in (ROOT / "Makefile").read_text().split("\n\n") if own.startswith("test-all:"))
    assert "sh scripts/checkov" in recipe
    assert os.access(ROOT / "scripts" / "checkov", os.X_OK)
