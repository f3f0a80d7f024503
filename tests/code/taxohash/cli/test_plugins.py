"""Sub-commands that other distributions bring."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from taxohash.cli import plugins
from tests.support import command

TAXOHASH = "taxohash.cli"
TARGET = """
def say(words):
    print("said", *words)
    return 3
"""


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points that are found, for a test to fill."""
    found: list[EntryPoint] = []

    def entry_points(**chosen: Any) -> EntryPoints:
        return EntryPoints(found).select(**chosen)

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    return found


def test_an_entry_point_is_a_command_that_gets_all_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: list[EntryPoint]
) -> None:
    (tmp_path / "spoken_here.py").write_text(TARGET)
    monkeypatch.syspath_prepend(str(tmp_path))
    brought.append(EntryPoint("say", "spoken_here:say", plugins.GROUP))
    done = command.run(TAXOHASH, "say", "--help", "-x", "1", "word")
    assert (done.returncode, done.stdout) == (3, "said --help -x 1 word\n")
    assert " say " in command.run(TAXOHASH, "--help").stdout


def test_data_has_sub_commands_of_others_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: list[EntryPoint]
) -> None:
    missing = command.run(TAXOHASH, "data", "capture", "more")
    assert (missing.returncode, missing.stderr) == (
        2,
        "taxohash: command capture is not installed: pip install 'taxohash-platform[serve,pipelines]'\n",
    )
    assert command.run(TAXOHASH, "capture").returncode == 2
    (tmp_path / "spoken_there.py").write_text(TARGET)
    monkeypatch.syspath_prepend(str(tmp_path))
    brought.append(EntryPoint("capture", "spoken_there:say", plugins.DATA_GROUP))
    done = command.run(TAXOHASH, "data", "capture", "--help", "more")
    assert (done.returncode, done.stdout) == (3, "said --help more\n")
    assert " capture " in command.run(TAXOHASH, "data", "--help").stdout


def test_without_the_platform_serve_says_what_to_install(brought: list[EntryPoint]) -> None:
    done = command.run(TAXOHASH, "serve", "generation")
    assert done.returncode == 2
    assert done.stderr == "taxohash: command serve is not installed: pip install 'taxohash-platform[serve]'\n"
    assert " serve " not in command.run(TAXOHASH, "--help").stdout
    assert command.run(TAXOHASH, "nonsense").returncode == 2


def test_serve_is_the_services_own() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "taxohash", "serve", "nowhere", "--port", "-1"],
        env={**os.environ}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "serve: port -1 does not exist: choose 1 to 65535, or 0 for a free one\n"
