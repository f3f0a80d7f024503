"""The night, whole; and interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.night import __main__ as night
from tests.night.world import World

pytestmark = [pytest.mark.system, pytest.mark.slow]
COMMAND = [sys.executable, "-m", "tests.night"]


def test_the_history_of_a_night_is_right_line_by_line(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["runs"].values()).count("published") == 2
    assert [what for what, *_ in found["audit"] if what in ("publish", "rollback")] == [
        *("publish", "publish", "rollback", "publish")
    ]


def test_a_run_that_does_not_end_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hang(_: object) -> None:
        raise subprocess.TimeoutExpired(["python", "-m", "taxohash.cli", "pipeline"], 300.0)

    monkeypatch.setattr(night, "tell", hang)
    monkeypatch.setattr(World, "store", lambda _: nullcontext())
    monkeypatch.setattr(sys, "argv", ["night", "--home", str(tmp_path)])
    assert night.main() == 1
    said = "night: -m taxohash.cli pipeline has not ended after 300 s: free the machine\n"
    assert capsys.readouterr().err == said


def test_a_night_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        COMMAND, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "first hasher is trained" in line:
                break
        time.sleep(5)  # a run is under way
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=120) == 130
    gone, left = psutil.wait_procs(children, timeout=60)
    assert gone
    assert not left
    assert not list(tmp_path.glob("night-*"))
