"""scripts/coverage, with a stand-in for Python that has measured what the test says."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "coverage", tmp_path / "scripts" / "coverage")
    (tmp_path / "pyproject.toml").write_text("[tool.coverage.report]\nfail_under = 90.0\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def judged(project: Path, python: str) -> "subprocess.CompletedProcess[str]":
    stand_in = project / ".venv" / "bin" / "python"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    return subprocess.run(
        ["sh", "scripts/coverage"], cwd=project, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("found", ["90.0", "90.3", "90.5"])
def test_what_reaches_the_floor_passes(project: Path, found: str) -> None:
    done = judged(project, f"echo {found}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"coverage: {found} % of lines and branches, floor 90.0 %\n"


@pytest.mark.parametrize(("found", "floor"), [("90.6", "90.4"), ("100.0", "99.8")])
def test_where_it_is_far_below_the_floor_is_to_be_raised(project: Path, found: str, floor: str) -> None:
    done = judged(project, f"echo {found}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].endswith(f"set fail_under in pyproject.toml to {floor}")


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("echo 89.9", "89.9 % is below the floor of 90.0 %: test what is new"),
        ("echo 9.9", "9.9 % is below the floor"),
        ("exit 1", "nothing was measured: run make test COVERAGE=1"),
    ],
)
def test_what_is_below_it_is_one_line(project: Path, python: str, said: str) -> None:
    done = judged(project, python)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("coverage: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_project_has_one_floor() -> None:
    assert (ROOT / "pyproject.toml").read_text().count("\nfail_under = ") == 1
