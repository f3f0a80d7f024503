"""What came of a run on Kubeflow, as the run itself says it.

Kubeflow's API tells the states of tasks, but no step's results (kubeflow/pipelines#9858). So the last step keeps the outcome
beside the generations, and writes it to its own log, a line of JSON, for those who may not read there.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pipelines.runners.kubeflow.client import Kubeflow
from pipelines.runners.kubeflow.states import (
    ENDED,
    SUCCEEDED,
    Step,
    failure_of,
    parameters_of,
    pipeline_of,
    pods_of,
    steps_of,
    was_cancelled,
)
from pipelines.shared.outcomes import kept
from pipelines.shared.placement import COLLECTION
from services import settings
from services.runs import Outcome, Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import read

RECORD = "record"  # the step that says what came of the run
CANCELLED = "it was cancelled"


def outcome_of(kubeflow: Kubeflow, run: Any) -> Outcome:
    """The outcome of a run (V2beta1Run) that has ended; of one that did not say it, what its steps' states tell."""
    told = _told(kubeflow, run)
    if was_cancelled(run) and (told is None or told.verdict != Verdict.PUBLISHED):
        return of_states(run, Verdict.INTERRUPTED, CANCELLED)
    if told is not None:
        return told
    if run.state != SUCCEEDED:
        return of_states(run, Verdict.FAILED, failure_of(run, steps_of(run)))
    return of_states(
        run,
        Verdict.FAILED,
        f"its steps ended well, but what came of it cannot be read: set {settings.GENERATIONS.name} as for the pipelines, "
        f"or look at {kubeflow.address(run.run_id)}",
    )


def cancelled(kubeflow: Kubeflow, run: Any) -> Outcome:
    """End a run; its outcome, which is another where it ended first."""
    if run.state in ENDED:
        return outcome_of(kubeflow, run)
    kubeflow.cancel(run.run_id)
    return of_states(run, Verdict.INTERRUPTED, CANCELLED)


def of_states(run: Any, verdict: Verdict, reason: str) -> Outcome:
    """An outcome of what Kubeflow knows."""
    parameters = parameters_of(run)
    return read(
        Outcome,
        {
            "run": run.display_name,
            "pipeline": pipeline_of(run),
            "collection": parameters.get("collection", COLLECTION),
            "verdict": verdict,
            "reason": reason,
            "started": run.created_at.timestamp(),
            "data_md5": parameters.get("dataset_md5", ""),
            "seconds": seconds_of(steps_of(run)),
        },
    )


def seconds_of(steps: list[Step]) -> dict[str, float]:
    """How long each step took; one that ran several times, side by side, from its first beginning to its last end."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(step.name for step in steps):
        rounds = [step for step in steps if step.name == name and step.started and step.ended]
        begun = min((step.started for step in rounds if step.started), default=None)
        ended = max((step.ended for step in rounds if step.ended), default=None)
        found[name] = (ended - begun).total_seconds() if begun and ended else 0.0
    return found


def _told(kubeflow: Kubeflow, run: Any) -> Outcome | None:
    with suppress(TaxohashError):  # not for us, or not now
        if (outcome := kept(run.display_name)) is not None:
            return outcome
    return next(_logged(kubeflow, run), None)


def _logged(kubeflow: Kubeflow, run: Any) -> Iterator[Outcome]:
    for pod in pods_of(run, RECORD):
        try:
            lines = kubeflow.log(run.run_id, pod).splitlines()
        except TaxohashError:  # not kept, or not for us
            continue
        for line in reversed(lines):
            try:
                yield Outcome.of_json(line)
            except TaxohashError:  # a line of another's
                continue
