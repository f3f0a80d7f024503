"""Steps as Kubeflow's tasks tell of them."""

from pathlib import Path

import kfp_server_api

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
    assert (pipeline_of(run), parameters_of(run)["dataset_md5"]) == ("retrain", "0" * 32)
    run.pipeline_spec = None  # as of a version that was removed
    assert (step_names(run), pipeline_of(run)) == (set(), "")


def test_a_step_has_the_pods_of_its_own_program(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    run_id = started(client, package)
    for _ in range(3):
        run = client.run(run_id)
    assert pods_of(run, "prepare") == [fake.runs[run_id].pod("prepare")]
    assert pods_of(run, "train") == [fake.runs[run_id].pod("train")]
    assert pods_of(run, "nothing") == []


def test_the_step_that_failed_is_the_reason(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    fake.ends = {"train": "FAILED"}
    run_id = started(client, package)
    for _ in range(3):
        run = client.run(run_id)
    assert run.state == "FAILED"
    assert failure_of(run, steps_of(run)) == "step train failed: see its log"
    assert failure_of(run, []) == "Kubeflow does not say why"


def test_what_argo_leaves_out_is_skipped() -> None:
    task = kfp_server_api.V2beta1PipelineTaskDetail(display_name="train", state="RUNTIME_STATE_UNSPECIFIED")
    spec = {
        "root": {"dag": {"tasks": {"train": {"componentRef": {"name": "comp-train"}}}}},
        "components": {"comp-train": {"executorLabel": "exec-train"}},
    }
    run = kfp_server_api.V2beta1Run(
        pipeline_spec=spec, run_details=kfp_server_api.V2beta1RunDetails(task_details=[task])
    )
    (step,) = steps_of(run)
    assert (step.state, step.seconds, pods_of(run, "train")) == ("SKIPPED", 0.0, [])
    assert steps_of(kfp_server_api.V2beta1Run(pipeline_spec=spec)) == []
