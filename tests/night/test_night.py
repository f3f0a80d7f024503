"""The night, whole; and interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

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


def test_a_night_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        COMMAND, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as night:
        assert night.stderr
        for line in night.stderr:
            if "first hasher is trained" in line:
                break
        time.sleep(5)  # a run is under way
        children = psutil.Process(night.pid).children(recursive=True)
        os.killpg(night.pid, signal.SIGINT)
        assert night.wait(timeout=120) == 130
    gone, left = psutil.wait_procs(children, timeout=60)
    assert gone
    assert not left
    assert not list(tmp_path.glob("night-*"))
