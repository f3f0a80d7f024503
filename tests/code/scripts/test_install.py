"""scripts/install, with a stand-in for Python whose pip does as it is told: the real one takes minutes."""

import os
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]

# Answers what the script asks of a Python 3.11; its pip writes down each call and behaves as the file `pip` says.
STAND_IN = """#!/bin/sh
case "$*" in
-c*) exit 0 ;;
"-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip --version") exit 0 ;;
"-m pip install"*) echo "$*" >>calls; . ./pip ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "install", tmp_path / "scripts" / "install")
    for name in ("pyproject.toml", "distributions/platform/pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "stand-in").write_text(STAND_IN)
    (tmp_path / "stand-in").chmod(0o755)
    (tmp_path / "pip").write_text("true")
    return tmp_path


def install(project: Path, python: str = "./stand-in") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "scripts/install"],
        cwd=project,
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text().splitlines()


def test_a_second_call_does_nothing_until_a_pin_changes(project: Path) -> None:
    assert install(project).returncode == 0
    assert (
        "-c constraints.txt -e .[train,dev] -e distributions/platform[serve,pipelines]" in calls(project)[0]
    )
    second = install(project)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert len(calls(project)) == 1
    (project / "pyproject.toml").write_text((project / "pyproject.toml").read_text() + "# changed\n")
    assert install(project).returncode == 0
    assert len(calls(project)) == 2


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: Temporary failure in name resolution", "no network"),
        (
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
            "no network",
        ),
        ("[Errno 13] Permission denied: 'here'", "make the place writable"),
        ("ERROR: Cannot install a and b", "pip failed (ERROR: Cannot install a and b)"),
        ("", "see .venv/install.log"),
    ],
)
def test_a_failure_is_one_line_and_the_next_call_goes_on(project: Path, said: str, message: str) -> None:
    (project / "pip").write_text(f'echo "{said}" >&2; exit 1')
    failed = install(project)
    assert failed.returncode == 1
    assert message in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    (project / "pip").write_text("true")
    assert install(project).returncode == 0
    assert len(calls(project)) == 2


def test_another_python_is_named(project: Path) -> None:
    (project / "old").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    (project / "old").chmod(0o755)
    for python, found in (("./old", "Python 3.9.2"), ("./none", "no Python")):
        failed = install(project, python)
        assert failed.returncode == 1
        assert failed.stderr.startswith(
            f"install: Python 3.11 is needed and {python} is {found}: install python3.11"
        )
        assert len(failed.stderr.splitlines()) == 1
    assert not (project / ".venv").exists()


def test_ctrl_c_stops_it_and_the_next_call_goes_on(project: Path) -> None:
    # A shell that waits for `touch` would take no notice of what ends neither of them.
    (project / "pip").write_text("touch started & exec sleep 60")
    process = subprocess.Popen(
        ["sh", "scripts/install"],
        cwd=project,
        env={**os.environ, "PYTHON": "./stand-in"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (project / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends to everything it runs
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert printed.splitlines()[-1] == "install: stopped; run it again to go on"
    (project / "pip").write_text("true")
    assert install(project).returncode == 0


def test_what_pip_is_held_to_is_complete() -> None:
    """Every direct requirement is among the constraints, in a version that it allows."""
    held = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    for file in (ROOT / "pyproject.toml", ROOT / "distributions" / "platform" / "pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        extras = project["optional-dependencies"].values()
        for text in [requirement for listed in [project["dependencies"], *extras] for requirement in listed]:
            required = Requirement(text)
            if not required.name.startswith("taxohash"):
                assert required.specifier.contains(held[required.name.lower().replace("_", "-")]), text
