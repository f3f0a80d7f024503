"""What Kubeflow says of a run, as a pipeline's user thinks of it: steps, their states, and how it ended."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Kubeflow's states of a run or a task after which it does not change any more.
SUCCEEDED, FAILED, SKIPPED, CANCELED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"
ENDED = {SUCCEEDED, FAILED, SKIPPED, CANCELED}
_EXECUTOR = "executor"  # the name of every pod that runs a step's own program


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
    """The name of a run's pipeline, such as taxohash-retrain; empty where Kubeflow does not say it."""
    return str(spec_of(run).get("pipelineInfo", {}).get("name", ""))


def parameters_of(run: Any) -> Mapping[str, Any]:
    """The parameters that a run was started with."""
    return (run.runtime_config and run.runtime_config.parameters) or {}


def pods_of(run: Any, name: str) -> list[str]:
    """The pods that ran the program of a step, as the logs are asked for: below its task, but not below the step that follows."""
    tasks, names = {task.pod_name: task for task in _tasks(run)}, step_names(run)

    def below(task: Any) -> Iterator[Any]:
        yield task
        for child in task.child_tasks or ():
            found = tasks.get(child.pod_name)
            if found is not None and found.display_name not in names:
                yield from below(found)

    found = (task for start in tasks.values() if start.display_name == name for task in below(start))
    return list(dict.fromkeys(task.pod_name for task in found if task.display_name == _EXECUTOR))


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
    return Step(
        key=task.task_id or task.pod_name or task.display_name,
        name=task.display_name,
        state=state,
        started=task.start_time,
        ended=task.end_time if state in ENDED else None,
        error=getattr(task.error, "message", None) or "",
    )
