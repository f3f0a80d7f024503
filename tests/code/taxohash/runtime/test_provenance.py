"""What a process says about itself can be typed again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import taxohash
from taxohash.runtime.provenance import command, revision, started_as

TELL = "from taxohash.runtime.provenance import command\nprint(command())\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script, a module in a package, and a package that can be run."""
    for file in ("tell.py", "package/__init__.py", "package/module.py", "package/__main__.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("" if file.endswith("__init__.py") else TELL)
    return tmp_path


@pytest.mark.parametrize(
    ("started", "told"),
    [
        (["tell.py", "--bits", "48"], "tell.py --bits 48"),
        (["-m", "package.module", "a b"], "python -m package.module 'a b'"),
        (["-m", "package"], "python -m package"),
        (["package"], "package"),
    ],
)
def test_a_process_knows_how_it_was_started(folder: Path, started: list[str], told: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(taxohash.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, *started], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == told


def test_a_revision_is_complete() -> None:
    found = revision()
    assert found.keys() == {"version", "commit", "command"}
    assert all(found.values())


def test_a_process_that_nobody_typed_says_what_it_is() -> None:
    typed = command()
    with started_as("taxohash pipeline: step train"):
        assert revision()["command"] == "taxohash pipeline: step train"
    assert command() == typed
