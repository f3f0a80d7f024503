import os
import signal
import sys
import time

import pytest

from services import processes
from services.processes import running

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
apart = "apart" in sys.argv
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=apart)
print(child.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("child_is", ["in the session", "apart"])
def test_a_whole_family_ends_even_when_it_does_not_want_to(
    child_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    with running([sys.executable, "-c", STUBBORN, child_is], os.environ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert alive(child)
    assert process.returncode == -signal.SIGKILL
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.05)
    pytest.fail(f"process {child} outlived its family")


def test_it_ends_when_the_block_fails() -> None:
    with (
        pytest.raises(RuntimeError),
        running([sys.executable, "-c", "import time; time.sleep(60)"], os.environ) as process,
    ):
        raise RuntimeError
    assert process.returncode == -signal.SIGTERM
