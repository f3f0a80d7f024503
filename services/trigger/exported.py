"""Metrics of the trigger's memory: the one place that exports what runs came to, also after a restart."""

from services import metrics
from services.runs import Outcome, Verdict
from services.trigger.decide import Policy, Standing, decide
from services.trigger.records import PIPELINES, State

_PARTS = ("value", "bound", "low", "high")


def count(outcome: Outcome) -> None:
    """A run has ended."""
    metrics.TRIGGER_RUNS.labels(outcome.collection, outcome.pipeline, outcome.verdict.value).inc()


def export(state: State, policy: Policy, now: float, collection: str) -> None:
    """Say what is."""
    if state.data:
        metrics.TRIGGER_DATA_SEEN.labels(collection).set(state.data.time)
    for pipeline in PIPELINES:
        running = state.running is not None and state.running.pipeline == pipeline
        metrics.TRIGGER_RUNNING.labels(collection, pipeline).set(running)
        pending = state.wanted(pipeline)
        now_is = decide(state, pending, policy, now).standing if pending else None
        for standing in Standing:
            metrics.TRIGGER_PENDING.labels(collection, pipeline, standing.value).set(standing is now_is)
        outcomes = [run.outcome for run in state.history if run.pipeline == pipeline and run.outcome]
        for verdict in Verdict:
            metrics.TRIGGER_RUNS.labels(collection, pipeline, verdict.value)  # 0 before the first
        for run in reversed(state.history):
            if run.pipeline == pipeline and run.outcome:
                metrics.RUN_ENDED.labels(collection, pipeline, run.outcome.verdict.value).set(run.ended)
        if outcomes:
            _export_run(outcomes[0], collection)


def _export_run(outcome: Outcome, collection: str) -> None:
    for step, seconds in outcome.seconds.items():
        metrics.RUN_STEP_SECONDS.labels(collection, outcome.pipeline, step).set(seconds)
    for compared in outcome.compared:
        for part in _PARTS:
            gauge = metrics.RUN_METRIC.labels(collection, outcome.pipeline, compared.metric, part)
            gauge.set(getattr(compared, part))
