"""Each target as a process of its own, for TAXOHASH_FUZZ_SECONDS seconds (60): no find may end it."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from taxohash.runtime.sources import ROOT

SECONDS = int(os.environ.get("TAXOHASH_FUZZ_SECONDS", "60"))
LAST = 40  # lines of a failed target's output that are told
TARGETS = ("pictures", "taxonomy", "dataset", "generation", "index", "sampled", "signature")
FINDS = re.compile(r"(crash|timeout|oom|slow-unit|leak)-[0-9a-f]{40}")


def fuzz(target: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a target in `folder`, where all that it writes stays.

    A shell starts it: the kernel counts the memory of the process that starts another as the other's greatest, by which
    libFuzzer would end it.
    """
    return subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "tests.fuzz", target, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_answered_rightly_or_refused_in_one_line(target: str, tmp_path: Path) -> None:
    ended = fuzz(target, tmp_path, f"-max_total_time={SECONDS}")
    finds = [file for file in tmp_path.iterdir() if FINDS.fullmatch(file.name)]
    assert ended.returncode == 0, _told(target, ended.stdout, finds)
    done = re.search(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+)", ended.stdout)
    assert done, _told(target, ended.stdout, finds)
    print(
        f"\nfuzz {target}: {int(done[1]):,} executions, {done[2]} places, {done[3]} features in {SECONDS} s"
    )


def _told(target: str, output: str, finds: list[Path]) -> str:
    """How a target failed, and how that is repeated."""
    lines = [line for line in output.splitlines() if not line.startswith(("INFO:", "#", "0x"))]
    told = [f"fuzz {target} ended with:", *lines[-LAST:]]
    for file in finds:
        text = base64.b64encode(file.read_bytes()).decode()
        told += [
            f"repeat {file.name} with:",
            f"  echo {text} | base64 -d >/tmp/find && .venv/bin/python -m tests.fuzz {target} /tmp/find",
        ]
    return "\n".join(told)


@pytest.mark.slow
def test_a_find_ends_a_target_and_is_repeated_from_its_bytes(tmp_path: Path) -> None:
    ended = fuzz("wrong", tmp_path, "-runs=100")
    (find,) = (file for file in tmp_path.iterdir() if FINDS.fullmatch(file.name))
    assert ended.returncode != 0
    command = re.search(r"echo (\S*) \|", _told("wrong", ended.stdout, [find]))
    assert command
    assert base64.b64decode(command[1]) == find.read_bytes()
    assert "AssertionError: wrong on purpose" in fuzz("wrong", tmp_path, str(find)).stdout
