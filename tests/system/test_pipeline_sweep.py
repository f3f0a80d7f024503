"""The sweep pipeline with kfp.local, on a miniature set: interrupted, it goes on, and a retraining takes what it chose."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.main import main
from services.runs import Outcome, Verdict
from taxohash.runtime.configuration import read
from taxohash.training.config import HasherConfig
from tests.support.miniature import make_dataset
from tests.support.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.slow]
SWEEP = "--network small-resnet --bits 16 --objective shpdh --epochs 1 --batch 32 --trials 5 --search training.lr=0.01..0.3:log"


def test_a_sweep_that_is_interrupted_goes_on_and_says_what_to_retrain_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, home = make_dataset(tmp_path / "data").folder, tmp_path / "home"
    words = [*SWEEP.split(), "--data", str(data), "--home", str(home), "--run", "one", "--json"]
    command = [sys.executable, "-m", "pipelines.cli.main", "run", "sweep", *words]
    environment = os.environ | {"TAXOHASH_REDIS_URL": "memory://", "OMP_NUM_THREADS": "1"}

    def trials() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in home.glob("runs/sweep-16-*/trials/*/trial.json")}

    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: bool(trials()) or started.poll() is not None, 300)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 130, said
    assert "run one was interrupted: the same command goes on from here" in said
    assert "trial ..." in said.splitlines()
    before = trials()
    assert 1 <= len(before) < 5

    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr[-3000:]
    found = Outcome.of_json(again.stdout)
    assert (found.verdict, found.pipeline, found.generation) == (Verdict.CHOSEN, "sweep", "")
    after = trials()
    assert len(after) == 5
    assert before.items() <= after.items()
    assert "of 5 is best" in Path(found.report).read_text()
    (best,) = home.glob("pipeline/*/choose/best")
    chosen = read(HasherConfig, json.loads(best.read_text()))
    assert f"--set training.lr={chosen.training.lr}" in found.flags

    assert main(["status", "one", "--home", str(home)]) == 0
    assert "one: chosen" in capsys.readouterr().out
