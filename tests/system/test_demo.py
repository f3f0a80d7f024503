"""The demo as a user runs it, on a miniature set: once, and again until Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from taxohash.client import search
from tests.support.miniature import TAXONOMY, make_dataset

pytestmark = pytest.mark.system


@contextmanager
def start(home: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The demo as a process; a test that fails ends it as `kill` does."""
    data = home.parent / "data"
    if not data.exists():
        make_dataset(data, train=1800)
    command = [sys.executable, "-m", "pipelines.demo", "--data", str(data), "--home", str(home)]
    with subprocess.Popen(
        [*command, "--epochs", "4", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def left_running(home: Path) -> list[str]:
    """Command lines of processes that know `home`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line:
            found.append(line)
    return found


def once(home: Path) -> dict[str, Any]:
    with start(home, "--once") as process:
        out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-3000:]
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def first(home: Path) -> dict[str, Any]:
    """What the first run prints."""
    return once(home)


def test_once(home: Path, first: dict[str, Any]) -> None:
    assert first["codes"] == 1800 + 48  # the test split can be found, too
    assert first["answer"]["generation"] == first["generation"]
    assert len(first["answer"]["results"]) == 10
    shares = [result["weighted_distance"] for result in first["answer"]["results"]]
    assert shares == sorted(shares)
    paths = {tuple(result["label_path"]) for result in first["answer"]["results"]}
    assert paths <= set(TAXONOMY.paths)
    assert {"data", "train", "evaluate", "gate", "publish", "serve", "search", "total"} <= set(
        first["seconds"]
    )
    assert not left_running(home)


@pytest.mark.slow
def test_again_it_serves_the_same_until_ctrl_c(home: Path, first: dict[str, Any]) -> None:
    with start(home, "--port", "0") as process:
        said = told_until("open http://127.0.0.1:", process)
        assert not [line for line in said if line.startswith(("train", "evaluate", "encode"))]
        _, url, *_ = said[-1].split()
        answer = search(url, home / "query.png", k=10)
        assert answer["generation"] == first["generation"]
        assert answer["results"] == first["answer"]["results"]
        interrupt(process, home)


def test_ctrl_c_while_it_trains_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with start(home, "--port", "0") as process:
        told_until("check-data: ", process)
        interrupt(process, home)


def told_until(marker: str, process: "subprocess.Popen[str]") -> list[str]:
    """The lines a demo says up to the one that holds the marker."""
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line.strip())
        if marker in line:
            return said
    pytest.fail("the demo ended by itself")


def interrupt(process: "subprocess.Popen[str]", home: Path) -> None:
    """Press Ctrl-C, and find nothing left."""
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    assert process.stderr is not None
    rest = process.stderr.read()
    assert process.wait(timeout=100) == 0, rest
    assert "stopped; the next run goes on from here" in rest
    assert "Traceback" not in rest
    assert not left_running(home)
    assert not list(home.rglob("*.sock"))


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_a_taken_port_is_one_line(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(home, "--port", str(port)) as process:
            _, err = process.communicate(timeout=400)
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in err.splitlines()[-1]
    assert not left_running(home)
