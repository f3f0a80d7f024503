"""Steps as Kubeflow's tasks tell of them."""

from pathlib import Path

from pipelines.runners.kubeflow.client import Kubeflow
from pipelines.runners.kubeflow.states import (
    failure_of,
    parameters_of,
    pipeline_of,
    pods_of,
    step_names,
    steps_of,
)
from tests.support.kubeflow import FakeKubeflow


def started(client: Kubeflow, package: Path) -> str:
    return client.start(package, "first", {"dataset_md5": "0" * 32})


def test_only_steps_are_told_of(client: Kubeflow, package: Path) -> None:
    """Neither the graph's own nodes nor the pods that Kubeflow adds."""
    run_id = started(client, package)
    client.run(run_id)
    run = client.run(run_id)
    assert step_names(run) == {"prepare", "train", "record"}
    steps = [(step.name, step.state, step.seconds) for step in steps_of(run)]
    assert steps == [("prepare", "SUCCEEDED", 60.0), ("train", "RUNNING", 0.0)]
    assert (pipeline_of(run), parameters_of(run)["dataset_md5"]) == ("taxohash-retrain", "0" * 32)
    run.pipeline_spec = None  # as of a version that was removed
    assert (step_names(run), pipeline_of(run)) == (set(), "")


def test_a_step_has_the_pods_of_its_own_program(client: Kubeflow, package: Path) -> None:
    run_id = started(client, package)
    for _ in range(3):
        run = client.run(run_id)
    assert pods_of(run, "prepare") == [f"{run_id}-prepare-program"]
    assert pods_of(run, "train") == [f"{run_id}-train-program"]
    assert pods_of(run, "nothing") == []


def test_the_step_that_failed_is_the_reason(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    fake.ends = {"train": "FAILED"}
    run_id = started(client, package)
    for _ in range(3):
        run = client.run(run_id)
    assert run.state == "FAILED"
    assert failure_of(run, steps_of(run)) == "step train failed: train exited with code 2"
    assert failure_of(run, []) == "Kubeflow does not say why"
