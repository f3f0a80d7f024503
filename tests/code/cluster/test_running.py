"""Nodes that somebody else left, and daemons that end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node.places import ROOT
from tests.cluster.node.running import Running


@pytest.fixture
def process() -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(["sleep", "100"]) as running:
        yield running
        running.kill()


def test_a_node_is_found_by_its_folder_and_ended(tmp_path: Path, process: "subprocess.Popen[bytes]") -> None:
    assert Running.read(tmp_path) is None
    Running.of(tmp_path, process.pid, Path("/programs")).write()
    found = Running.read(tmp_path)
    assert found is not None
    assert found.lives()
    assert found.programs == Path("/programs")
    found.groups = []
    found.end()
    assert process.wait(10) == -9
    assert not found.lives()
    assert Running.read(tmp_path) is None


def test_another_process_of_that_id_is_left_alone(tmp_path: Path, process: "subprocess.Popen[bytes]") -> None:
    running = Running.of(tmp_path, process.pid, Path("/programs"))
    running.since -= 1
    assert not running.lives()
    running.end()
    assert process.poll() is None


_LOOK = """
import sys
from pathlib import Path
from tests.cluster.node import supervise
supervise._AGAIN_SECONDS = supervise._LOOK_SECONDS = 0.01
logs = Path(sys.argv[1])
daemons = supervise.Daemons(logs, {"PATH": "/usr/bin:/bin", "SAYS": "here"})
daemons.start("one", ["sh", "-c", "echo $SAYS; exit 3"])
daemons.until(lambda: (logs / "one.log").read_text().count("here") == 3)
"""


def test_daemons_that_end_are_started_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _LOOK, tmp_path], cwd=ROOT, check=True, timeout=60)
    lines = (tmp_path / "one.log").read_text().splitlines()
    assert lines[:4] == ["here", "--- one ended with 3 and is started again"] * 2
