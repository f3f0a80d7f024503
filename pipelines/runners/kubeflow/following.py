"""Follow a run to its end by the states of its tasks."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from pipelines.runners.kubeflow.client import Kubeflow, UnreachableError
from pipelines.runners.kubeflow.states import ENDED, FAILED, SUCCEEDED, Step, steps_of
from pipelines.shared.summary import minutes

POLL_SECONDS = 5.0
PATIENCE_SECONDS = 900.0  # with a Kubeflow that does not answer


def follow(
    kubeflow: Kubeflow,
    run_id: str,
    told: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Any:
    """Wait for a run to end, and tell of each step that begins or ends; the run (V2beta1Run) as it ended.

    Raises:
        UnreachableError: Kubeflow has not answered for PATIENCE_SECONDS; the run goes on.
        TaxohashError: it refuses, or the run is gone.
    """
    known: dict[str, str] = {}
    silent_since: float | None = None
    while True:
        try:
            run = kubeflow.run(run_id)
        except UnreachableError as error:
            if silent_since is None:
                silent_since = clock()
                told(f"{error}; the run goes on, and is asked for again")
            elif clock() - silent_since > PATIENCE_SECONDS:
                raise
            wait(POLL_SECONDS)
            continue
        silent_since = None
        for line in changes(known, steps_of(run)):
            told(line)
        if run.state in ENDED:
            return run
        wait(POLL_SECONDS)


def changes(known: dict[str, str], steps: list[Step]) -> Iterator[str]:
    """A line for each step whose state is another than it was; `known`, states by the steps' keys, is brought up to date."""
    for step in steps:
        before, known[step.key] = known.get(step.key), step.state
        if before == step.state or step.state == "PENDING":
            continue
        if step.state == SUCCEEDED:
            yield f"{step.name}: {minutes(step.seconds)}"
        elif step.state == FAILED:
            yield f"{step.name} failed: {step.error or 'see its log'}"
        elif step.state == "RUNNING":
            yield f"{step.name} ..."
        else:
            yield f"{step.name}: {step.state.lower()}"
