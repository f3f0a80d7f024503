"""A pipeline that is killed at every step, and taken up again under its name, comes to what one that was left alone comes to."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from pipelines.shared.events import events
from services.runs import Outcome, Verdict
from tests.support.miniature import make_dataset
from tests.support.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.slow]
STEPS = (
    "check-data",
    "train",
    "evaluate",
    "gate",
    "export",
    "encode",
    "build",
    "shadow",
    "seal",
    "publish",
    "collect",
    "record",
)


def environment(redis_url: str, home: Path) -> dict[str, str]:
    own = {
        "TAXOHASH_REDIS_URL": redis_url,
        "TAXOHASH_PICTURES": str(home.with_name(f"{home.name}-pictures")),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return os.environ | own


def command(data: Path, home: Path, collection: str) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "pipelines.cli.main",
        "run",
        "--data",
        str(data),
        "--home",
        str(home),
        "--json",
    ]
    words += ["--bits", "16", "--epochs", "6", "--shards", "2", "--network", "small-resnet"]
    return [*words, "--collection", collection, "--run", "killed"]


def kill_at(step: str, words: list[str], environment: dict[str, str], file: Path) -> None:
    """Run until a step has started, then kill all that runs."""
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )

    def started() -> bool:
        return any(event.step == step for event in events(file))

    until(lambda: started() or process.poll() is not None, 240)
    found = psutil.Process(process.pid)
    for victim in [found, *found.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it came to its end meanwhile
            victim.send_signal(signal.SIGKILL)
    process.wait()
    assert started(), f"it ended before {step}"


def test_killed_at_every_step_it_comes_to_the_same_generation(redis_url: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", train=300).folder

    def finished(home: Path, collection: str) -> Outcome:
        words = command(data, home, collection)
        done = subprocess.run(
            words, env=environment(redis_url, home), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return Outcome.of_json(done.stdout)

    left_alone = finished(tmp_path / "alone", "alone")
    home = tmp_path / "home"
    file = home / "records" / "killed" / "events.jsonl"
    for step in STEPS:
        kill_at(step, command(data, home, "killed"), environment(redis_url, home), file)
    found = finished(home, "killed")
    assert found.verdict is left_alone.verdict is Verdict.PUBLISHED
    assert found.generation == left_alone.generation  # its id is a hash of all that it is
    assert (found.reason, found.champion, found.changes) == (
        left_alone.reason,
        left_alone.champion,
        left_alone.changes,
    )
