"""Runs on Kubeflow, as they are looked at and ended."""

from typing import Any

from pipelines.runners.kubeflow.client import Kubeflow
from pipelines.runners.kubeflow.ending import outcome_of
from pipelines.runners.kubeflow.states import ENDED, pods_of, step_names, steps_of
from pipelines.runners.runs import RunState, StepState
from taxohash.errors import TaxohashError


class KubeflowRuns:
    """See `Runs`."""

    def __init__(self, kubeflow: Kubeflow) -> None:
        self._kubeflow = kubeflow

    def recent(self) -> list[RunState]:
        return [self._listed(run) for run in self._kubeflow.runs()]

    def state(self, name: str) -> RunState:
        run = self._kubeflow.run(self._kubeflow.find(name))
        steps = [StepState(step.name, step.state.lower(), step.seconds, step.error) for step in steps_of(run)]
        outcome = outcome_of(self._kubeflow, run) if run.state in ENDED else None
        state = outcome.verdict if outcome else _state(run)
        return RunState(
            run.display_name,
            state,
            run.created_at.timestamp(),
            self._kubeflow.address(run.run_id),
            tuple(steps),
            outcome,
        )

    def cancel(self, name: str) -> str:
        run = self._kubeflow.run(self._kubeflow.find(name))
        if run.state in ENDED:
            return f"run {name} is not running"
        self._kubeflow.cancel(run.run_id)
        return f"run {name} is told to end"

    def log(self, name: str, step: str) -> str:
        run = self._kubeflow.run(self._kubeflow.find(name))
        names = step_names(run)
        if step and step not in names:
            raise TaxohashError(f"run {name} has no step {step!r}: choose from {', '.join(sorted(names))}")
        begun = [step] if step else list(dict.fromkeys(known.name for known in steps_of(run)))
        pods = [pod for known in begun for pod in pods_of(run, known)]
        if step and not pods:
            raise TaxohashError(f"step {step!r} of run {name} has not begun, or a cache answered for it")
        return "".join(self._kubeflow.log(run.run_id, pod) for pod in pods)

    def _listed(self, run: Any) -> RunState:
        return RunState(
            run.display_name,
            _state(run),
            run.created_at.timestamp(),
            self._kubeflow.address(run.run_id),
        )


def _state(run: Any) -> str:
    return (run.state or "PENDING").lower()
