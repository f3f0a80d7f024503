"""What Kubeflow says of a run, as a pipeline's user thinks of it: steps, their states, and how it ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Kubeflow's states of a run or a task after which it does not change any more.
SUCCEEDED, FAILED, SKIPPED, CANCELED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"
ENDED = {SUCCEEDED, FAILED, SKIPPED, CANCELED}
_TEMPLATE = "system-container-impl"  # Kubeflow's, of all pods that run a step's program


@dataclass(frozen=True)
class Step:
    """A step of a run; one of a loop is there once for each of its rounds.

    Attributes:
        key: of the task, which no other of the run has.
        name: as in the pipeline.
        state: Kubeflow's word for it, such as RUNNING.
        started, ended: None before it did.
        error: why it failed, as far as Kubeflow knows.
    """

    key: str
    name: str
    state: str
    started: datetime | None = None
    ended: datetime | None = None
    error: str = ""

    @property
    def seconds(self) -> float:
        """From its beginning to its end; 0 before that."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


def steps_of(run: Any) -> list[Step]:
    """The steps that a run (V2beta1Run) has begun, in their order."""
    names = step_names(run)
    steps = [_step(task) for task in _tasks(run) if task.display_name in names]
    return sorted(steps, key=lambda step: (step.started is None, step.started or 0, step.key))


def step_names(run: Any) -> set[str]:
    """Names of the steps in a run's pipeline: its tasks that run a program, not those that Kubeflow adds."""
    spec = spec_of(run)
    components: Mapping[str, Any] = spec.get("components", {})
    dags = [spec.get("root", {}), *components.values()]
    return {
        name
        for dag in dags
        for name, task in dag.get("dag", {}).get("tasks", {}).items()
        if "executorLabel" in components.get(task["componentRef"]["name"], {})
    }


def spec_of(run: Any) -> Mapping[str, Any]:
    """The specification of a run's pipeline; empty where Kubeflow does not say it."""
    found: Mapping[str, Any] = run.pipeline_spec or {}
    inner: Mapping[str, Any] = found.get("pipeline_spec", found)
    return inner


def pipeline_of(run: Any) -> str:
    """The name of a run's pipeline, such as retrain; empty where Kubeflow does not say it."""
    return str(spec_of(run).get("pipelineInfo", {}).get("name", "")).removeprefix("taxohash-")


def parameters_of(run: Any) -> Mapping[str, Any]:
    """The parameters that a run was started with."""
    return (run.runtime_config and run.runtime_config.parameters) or {}


def pods_of(run: Any, name: str) -> list[str]:
    """The pods that ran the program of a step, one for each round of a loop.

    A task tells which nodes of Argo's graph are below it, and below a step's is that of its program alone. Of the node WORKFLOW-NUMBER
    the pod is called WORKFLOW-TEMPLATE-NUMBER.
    """
    below = [
        child.pod_name
        for task in _tasks(run)
        if task.display_name == name
        for child in task.child_tasks or ()
    ]
    parts = [node.rpartition("-") for node in below if node]
    return [f"{workflow}-{_TEMPLATE}-{number}" for workflow, _, number in parts]


def was_cancelled(run: Any) -> bool:
    """Whether somebody ended a run; some Kubeflows call it FAILED afterwards."""
    states = [run.state, *(past.state for past in run.state_history or ())]
    return CANCELED in states or "CANCELING" in states


def failure_of(run: Any, steps: Iterable[Step]) -> str:
    """Why a run failed, in one line."""
    failed = [step for step in steps if step.state == FAILED]
    if failed:
        reason = next((step.error for step in failed if step.error), "see its log")
        return f"step {failed[0].name} failed: {' '.join(reason.split())}"
    told = getattr(run.error, "message", None)
    return " ".join(told.split()) if told else "Kubeflow does not say why"


def _tasks(run: Any) -> list[Any]:
    return (run.run_details.task_details if run.run_details else None) or []


def _step(task: Any) -> Step:
    state = task.state or "PENDING"
    if state == "RUNTIME_STATE_UNSPECIFIED":  # what Argo has left out
        state = SKIPPED
    return Step(
        key=task.task_id or f"{task.display_name} {task.start_time}",
        name=task.display_name,
        state=state,
        started=task.start_time,
        ended=task.end_time if state in ENDED else None,
        error=getattr(task.error, "message", None) or "",
    )
