"""The trigger as a process, whose runs are runs of a Kubeflow: begun once, whatever becomes of the trigger, and ended when it says so."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from pipelines.shared import outcomes
from services.runs import Outcome, Verdict
from tests.support.kubeflow import FakeKubeflow, kubeflow
from tests.support.waiting import until
from tests.system.test_trigger import Process

pytestmark = [pytest.mark.system, pytest.mark.slow]
MD5 = f"{'0' * 32}.dir"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeKubeflow]:
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path))
    found = FakeKubeflow(token="secret")
    with kubeflow(found) as address:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", address)
        monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret")
        yield found


@pytest.fixture
def trigger(tmp_path: Path, redis_url: str, free_port: int, fake: FakeKubeflow) -> Iterator[Process]:
    made = Process(tmp_path, redis_url, free_port, f"kubeflow-{free_port}")
    made.environment |= {
        "TAXOHASH_TRIGGER_COMMAND": f"{sys.executable} -m pipelines.cli.main submit",
        "TAXOHASH_TRIGGER_OPTIONS": f"--remote s3://bucket/dvc --dataset-md5 {MD5}",
    }
    yield made
    kill_all(made)
    made.client.close()


def kill_all(trigger: Process) -> None:
    """As the end of a pod does: the trigger, and the follower that it started."""
    if trigger.process and trigger.process.poll() is None:
        started = psutil.Process(trigger.process.pid).children(recursive=True)
        trigger.kill()
        for process in started:
            process.kill()
        psutil.wait_procs(started, 60)
    shutil.rmtree(trigger.folder / "trigger", ignore_errors=True)


def ask(trigger: Process) -> str:
    """Ask for a run; its name."""
    trigger.post("/v1/runs", json.dumps({"pipeline": "reindex"}).encode())
    until(lambda: trigger.state()["running"])
    name: str = trigger.state()["running"]["name"]
    return name


def test_a_run_outlives_the_pod_of_the_trigger(trigger: Process, fake: FakeKubeflow) -> None:
    trigger.start()
    name = ask(trigger)
    until(lambda: fake.runs)
    (run,) = fake.runs.values()
    assert run.body["display_name"] == name
    assert (
        run.body["runtime_config"]["parameters"]["collection"] == trigger.environment["TAXOHASH_COLLECTION"]
    )
    kill_all(trigger)
    looks = run.looks
    trigger.start()
    until(lambda: run.looks > looks)  # followed again
    collection = trigger.environment["TAXOHASH_COLLECTION"]
    outcome = Outcome(
        run=name, pipeline="reindex", collection=collection, verdict=Verdict.REFUSED, reason="no canary is found", started=1.0
    )  # fmt: skip
    outcomes.keep(outcome)
    run.looks = 1000
    until(lambda: trigger.state()["history"])
    state = trigger.state()
    assert (len(fake.runs), state["running"]) == (1, None)
    assert "no canary is found" in json.dumps(state["history"])


def test_a_run_that_is_cancelled_ends_on_kubeflow(trigger: Process, fake: FakeKubeflow) -> None:
    trigger.start()
    name = ask(trigger)
    until(lambda: fake.runs and fake.runs["run-0"].looks)
    assert trigger.post(f"/v1/runs/{name}/cancel").status_code == 202
    until(lambda: trigger.state()["history"])
    assert fake.runs["run-0"].state == "CANCELED"
    assert "interrupted" in json.dumps(trigger.state()["history"])
