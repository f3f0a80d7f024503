"""Metrics of the trigger's memory: the one place that exports what runs came to, also after a restart."""

from services import metrics
from services.runs import Outcome, Verdict
from services.trigger.decide import Policy, Standing, decide
from services.trigger.records import PIPELINES, DataVersion, Pipeline, Run, State

_PARTS = ("value", "bound", "low", "high")
_MOST_STEPS, _MOST_COMPARED = metrics.RUN_STEP.most, metrics.RUN_COMPARED.most


def count(run: Run, outcome: Outcome, now: float, collection: str) -> None:
    """A run has ended."""
    labels = (collection, run.pipeline, outcome.verdict.value)
    metrics.TRIGGER_RUNS.labels(*labels).inc()
    metrics.TRIGGER_RUN_SECONDS.labels(*labels).observe(now - run.began)


def export(state: State, policy: Policy, now: float, collection: str) -> None:
    """Say what is."""
    if state.data:
        metrics.TRIGGER_DATA_SEEN.labels(collection).set(state.data.time)
    if served := _served(state):
        metrics.TRIGGER_SERVED_DATA.labels(collection).set(served.time)
    metrics.TRIGGER_APPROVALS.labels(collection).set(_approvals(state, policy, now))
    for pipeline in PIPELINES:
        running = state.running is not None and state.running.pipeline == pipeline
        metrics.TRIGGER_RUNNING.labels(collection, pipeline).set(running)
        pending = state.wanted(pipeline)
        now_is = decide(state, pending, policy, now).standing if pending else None
        for standing in Standing:
            metrics.TRIGGER_PENDING.labels(collection, pipeline, standing.value).set(standing is now_is)
        for verdict in Verdict:
            metrics.TRIGGER_RUNS.labels(collection, pipeline, verdict.value)  # 0 before the first
        ended = [run for run in state.history if run.pipeline == pipeline and run.outcome]
        for run in reversed(ended):
            assert run.outcome
            metrics.RUN_ENDED.labels(collection, pipeline, run.outcome.verdict.value).set(run.ended)
        if ended:
            _export_run(ended[0], pipeline, collection)


def _served(state: State) -> DataVersion | None:
    """The data version of what is published, as far as the trigger's memory goes."""
    published = (
        run.data
        for run in state.history
        if run.outcome and run.outcome.verdict is Verdict.PUBLISHED and run.data
    )
    settled = state.data if state.data and state.data.md5 == state.settled else None
    return next(published, settled)


def _approvals(state: State, policy: Policy, now: float) -> int:
    """Pending runs that wait for a person's word, and generations that do, which still are beside what they were compared with."""
    waiting = sum(
        decide(state, pending, policy, now).standing is Standing.APPROVAL for pending in state.pending
    )
    return waiting + len(_awaiting(state))


def _awaiting(state: State) -> list[Outcome]:
    """Runs whose generation may still be approved, as far as the trigger's memory goes, newest first."""
    found, replaced = (
        list[Outcome](),
        {run.outcome.champion for run in state.history if run.outcome and run.approved},
    )
    champion: str | None = None  # when the newest run began
    for run in state.history:
        outcome = run.outcome
        if outcome is None or outcome.verdict not in (Verdict.PUBLISHED, Verdict.AWAITING):
            continue
        champion = outcome.champion if champion is None else champion
        if outcome.verdict is Verdict.PUBLISHED and not run.approved:
            break  # by itself, when it ended: what came before it was compared with another
        if outcome.verdict is Verdict.AWAITING and outcome.champion == champion not in replaced:
            found.append(outcome)
    return found


def _export_run(run: Run, pipeline: Pipeline, collection: str) -> None:
    """A pipeline's last run; what the one before it had and it has not is told no more."""
    outcome, labels = run.outcome, (collection, pipeline)
    assert outcome
    metrics.RUN_SECONDS.labels(*labels).set(run.ended - run.began)
    steps = dict([*outcome.seconds.items()][:_MOST_STEPS])
    metrics.keep_only(metrics.RUN_STEP_SECONDS, labels, {(step,) for step in steps})
    for step, seconds in steps.items():
        metrics.RUN_STEP_SECONDS.labels(*labels, step).set(seconds)
    compared = outcome.compared[:_MOST_COMPARED]
    metrics.keep_only(metrics.RUN_METRIC, labels, {(own.metric, part) for own in compared for part in _PARTS})
    for own in compared:
        for part in _PARTS:
            metrics.RUN_METRIC.labels(*labels, own.metric, part).set(getattr(own, part))
