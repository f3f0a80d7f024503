"""Nodes that somebody else left, and daemons that end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from tests.cluster.node.life import clear, launch, own
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


def test_what_a_killed_run_left_is_ended_and_cleared_away_but_for_images(
    tmp_path: Path, process: "subprocess.Popen[bytes]"
) -> None:
    for name in ("containerd/content", "etcd/member", "volumes/data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lock").touch()
    (tmp_path / "kubelet.yaml").touch()
    left = Running.of(tmp_path, process.pid, Path("/programs"))
    left.groups = []
    left.write()
    said: list[str] = []
    clear(tmp_path, said.append)
    assert process.wait(10) == -9
    assert said == [f"a node was left up in {tmp_path}: it is ended"]
    assert {entry.name for entry in tmp_path.iterdir()} == {"containerd", "lock", "log"}
    assert (tmp_path / "containerd/content").is_dir()
    clear(tmp_path, said.append)
    assert len(said) == 1


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    with pytest.raises(TaxohashError, match="is no folder of a node: name a new one"):
        own(tmp_path)
    assert own(own(tmp_path / "new")).is_dir()


def test_why_a_node_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").mkdir()
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(TaxohashError, match=r"did not start: -m tests\.cluster\.node\.launch"):
        launch(tmp_path, Path("/programs"), keep=False)
    assert not (tmp_path / "node.json").exists()


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
