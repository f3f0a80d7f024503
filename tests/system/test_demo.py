"""The demo as a user runs it, on a miniature set: once, again, and until Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.miniature import TAXONOMY, make_dataset

pytestmark = pytest.mark.system


def start(home: Path, *options: str) -> "subprocess.Popen[str]":
    data = home.parent / "data"
    if not data.exists():
        make_dataset(data, train=1800)
    command = [
        sys.executable,
        "-m",
        "pipelines.demo",
        "--data",
        str(data),
        "--home",
        str(home),
        "--epochs",
        "4",
    ]
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


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


def test_once_and_again(home: Path) -> None:
    first = once(home)
    assert first["codes"] == 1800
    assert first["answer"]["generation"] == first["generation"]
    assert len(first["answer"]["results"]) == 10
    distances = [result["distance"] for result in first["answer"]["results"]]
    assert distances == sorted(distances)
    paths = {tuple(result["label_path"]) for result in first["answer"]["results"]}
    assert paths <= set(TAXONOMY.paths)
    assert {"data", "train", "evaluate", "gate", "publish", "serve", "search", "total"} <= set(
        first["seconds"]
    )
    assert not left_running(home)

    again = once(home)
    assert again["generation"] == first["generation"]
    assert again["answer"]["results"] == first["answer"]["results"]
    assert again["seconds"]["train"] == 0 == again["seconds"]["evaluate"]
    assert not left_running(home)


def test_ctrl_c_while_it_trains_leaves_nothing_behind(tmp_path: Path) -> None:
    interrupt_after("check-data: ", tmp_path / "home")


def test_ctrl_c_while_it_serves_leaves_nothing_behind(home: Path) -> None:
    interrupt_after("open http://127.0.0.1:", home)


def interrupt_after(marker: str, home: Path) -> None:
    with start(home, "--port", "0") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if marker in line:
                break
        else:
            pytest.fail("the demo ended by itself")
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=100) == 0, rest
    assert "stopped; the next run goes on from here" in rest
    assert "Traceback" not in rest
    assert not left_running(home)
    assert not list(home.rglob("*.sock"))


def test_a_taken_port_is_one_line(home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start(home, "--port", str(taken.getsockname()[1])) as process:
            _, err = process.communicate(timeout=400)
    assert process.returncode == 2
    assert f"port {taken_port(err)}" in err.splitlines()[-1]
    assert not left_running(home)


def taken_port(err: str) -> str:
    return err.splitlines()[-1].split("port ")[1].split()[0]
