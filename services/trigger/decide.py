"""What follows from what: every change of the trigger's memory, and whether a run may begin. Pure; time is an argument.

A reason leads to a run that is *pending*, or is added to one that is, or to one that runs on the newest data already. Each moment
a pending run has one *standing*: it may start, or waits for something that is told. A run that ended badly is pending again, a few
times. So nothing is lost, as what is pending stays until it is begun, and nothing is doubled, as a run has its name before its
process has begun.
"""

import math
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from services.runs import Outcome, Verdict
from services.trigger.records import (
    DataVersion,
    Keeper,
    Kind,
    Pending,
    Pipeline,
    Reason,
    Run,
    Schedule,
    State,
)
from taxohash.runtime.configuration import Count, NonNegative, Series, configuration

MOST_REASONS = 100  # of one run: a storm has no more to say than its first hundred alerts
MOST_HISTORY = 100
DAY = 86_400.0
# Of these one knows what came of the data: another run on the same would say the same.
_CONCLUSIVE = (Verdict.PUBLISHED, Verdict.AWAITING, Verdict.REFUSED)
_BROKEN = (Verdict.FAILED, Verdict.INTERRUPTED)
_ORDER: tuple[Pipeline, ...] = ("drift", "reindex", "retrain")


@configuration
class Policy:
    """How eager the trigger is.

    Attributes:
        watched: data versions are known, so that a run without a newer one would be in vain.
        cool_down: seconds after a retraining in which no other begins.
        retry: seconds after a run that broke before it is tried again.
        attempts: how often a run is tried.
        runs_a_day: runs of a pipeline in 24 hours.
        ask_first: kinds of reasons that start nothing before a person has asked for the run too.
    """

    watched: bool = True
    cool_down: NonNegative = 3600.0
    retry: NonNegative = 300.0
    attempts: Count = 3
    runs_a_day: Count = 12
    ask_first: Series[str] = ()


class Standing(StrEnum):
    """What a pending run waits for."""

    READY = "ready"
    BUSY = "waiting for the run under way"
    DATA = "waiting for data"
    APPROVAL = "waiting for approval"
    COOLING = "cooling down"
    LIMIT = "limit of runs reached"


FOR_PEOPLE = (Standing.DATA, Standing.APPROVAL, Standing.LIMIT)


class Decision(NamedTuple):
    """What a pending run waits for, and until when where that is known."""

    standing: Standing
    until: float | None = None


# -- reasons -----------------------------------------------------------------------------------------------------------


def asked(state: State, pipeline: Pipeline, reason: Reason) -> State:
    """A reason for a run of this pipeline, which is known already, joins a run, or makes one pending."""
    running, pending = state.running, state.wanted(pipeline)
    if running and running.pipeline == pipeline and _same(running.data, state.data) and not running.cancelled:
        return replace(state, running=replace(running, reasons=_with(running.reasons, reason)))
    if pending is None:
        return state.but(pipeline, Pending(pipeline=pipeline, reasons=(reason,)))
    return state.but(pipeline, replace(pending, reasons=_with(pending.reasons, reason)))


def resolved(state: State, key: str) -> State:
    """A reason is gone: a run for which there is no other is not wanted any more. One that runs goes on."""
    for pending in state.pending:
        left = tuple(reason for reason in pending.reasons if reason.key != key)
        if left != pending.reasons:
            state = state.but(pending.pipeline, *([replace(pending, reasons=left)] if left else []))
    return state


def arrived(state: State, data: DataVersion, *, served: str | None) -> State:
    """The newest data version, which asks for runs where it is another than before.

    Args:
        served: data version of the published generation, empty where that is not known; None: nothing is published, so that there is
            no hasher to index it, and one is trained at once. The first version that is seen is no news where it is served.
    """
    if _same(state.data, data):
        return state
    reason = Reason(kind=Kind.DATA, key=f"data {data.md5}", text=f"data version {data.md5}", time=data.time)
    superseded = [old for pending in state.pending for old in pending.reasons if old.kind is Kind.DATA]
    for old in superseded:  # what they asked for, the newer one asks for
        state = resolved(state, old.key)
    first, state = state.data is None, replace(state, data=data, settled="")
    if first and served == data.md5:
        return replace(state, settled=data.md5)
    return asked(state, "retrain" if served is None else "reindex", reason)


def struck(state: State, now: float, next_due: float) -> State:
    """The timer is due.

    Args:
        next_due: when it is again; of times that were missed one is made up for.
    """
    schedule = state.schedule
    if schedule is None or now < schedule.due:
        return state
    reason = Reason(kind=Kind.SCHEDULE, key=f"schedule {schedule.text}", text=schedule.text, time=now)
    return asked(replace(state, schedule=replace(schedule, due=next_due)), schedule.pipeline, reason)


def scheduled(state: State, schedule: Schedule | None) -> State:
    """Another timer, or none."""
    return replace(state, schedule=schedule)


# -- whether a run may begin -------------------------------------------------------------------------------------------


def decide(state: State, pending: Pending, policy: Policy, now: float) -> Decision:
    """What a pending run waits for. One that a person asked for waits for the run under way, and after one that broke.

    Drift changes nothing, and is of no data version: it waits for neither data nor approval.
    """
    if state.running is not None:
        return Decision(Standing.BUSY)
    before = [run for run in state.history if run.pipeline == pending.pipeline]
    last = max((run.ended for run in before), default=-math.inf)
    if pending.attempt > 1 and now < last + policy.retry:
        return Decision(Standing.COOLING, last + policy.retry)
    if any(reason.kind is Kind.PERSON for reason in pending.reasons):
        return Decision(Standing.READY)
    makes = pending.pipeline != "drift"
    if makes and policy.watched and not _newer(state, pending):
        return Decision(Standing.DATA)
    if makes and all(reason.kind in policy.ask_first for reason in pending.reasons):
        return Decision(Standing.APPROVAL)
    today = [run.began for run in before if run.began > now - DAY]
    if len(today) >= policy.runs_a_day:
        return Decision(Standing.LIMIT, sorted(today)[-policy.runs_a_day] + DAY)
    if pending.attempt == 1 and pending.pipeline == "retrain" and now < last + policy.cool_down:
        return Decision(Standing.COOLING, last + policy.cool_down)
    return Decision(Standing.READY)


def next_run(state: State, policy: Policy, now: float) -> Pending | None:
    """The run to begin now. Drift is of what is served as yet; new data are indexed first, since that is quick and tells whether they can be."""
    ready = [own for own in state.pending if decide(state, own, policy, now).standing is Standing.READY]
    return min(ready, key=lambda own: _ORDER.index(own.pipeline), default=None)


def noted(state: State, policy: Policy, now: float) -> State:
    """What a pending run waits for is told to people where they may have to do something; once, until it is something else."""
    for pending in state.pending:
        standing = decide(state, pending, policy, now).standing
        if standing in FOR_PEOPLE:
            state = state.but(pending.pipeline, replace(pending, told=standing.value))
    return state


# -- runs --------------------------------------------------------------------------------------------------------------


def begun(state: State, pending: Pending, name: str, now: float) -> State:
    """A pending run has a name from now on; its process follows."""
    run = Run(
        name=name, pipeline=pending.pipeline, reasons=pending.reasons, began=now, attempt=pending.attempt, data=state.data
    )  # fmt: skip
    return replace(state.but(pending.pipeline), running=run)


def cancelled(state: State, name: str, who: str) -> State:
    """A run under way is to end, and is not to be tried again."""
    if state.running is None or state.running.name != name:
        return state
    return replace(state, running=replace(state.running, cancelled=who))


def ended(
    state: State, name: str, outcome: Outcome, policy: Policy, now: float, *, final: bool = False
) -> State:
    """What came of the run under way; nothing changes where that is known already.

    Args:
        final: another try would come to the same, so there is none.
    """
    run = state.running
    if run is None or run.name != name:
        return state
    run = replace(run, outcome=outcome, ended=now)
    state = replace(state, running=None, history=(run, *state.history)[:MOST_HISTORY])
    if outcome.verdict in _BROKEN and not (run.cancelled or final) and run.attempt < policy.attempts:
        return _again(state, run)
    if run.pipeline == "reindex" and _same(run.data, state.data) and outcome.verdict is not Verdict.REFUSED:
        for reason in run.reasons:
            if reason.kind is Kind.DATA:
                state = asked(state, "retrain", reason)
    return state


def approved(state: State, generation: str, who: str) -> State:
    """Somebody published what a run had made."""

    def told(run: Run) -> Run:
        outcome = run.outcome
        if outcome is None or outcome.generation != generation or outcome.verdict is not Verdict.AWAITING:
            return run
        return replace(run, approved=who, outcome=replace(outcome, verdict=Verdict.PUBLISHED))

    return replace(state, history=tuple(map(told, state.history)))


# -- who keeps the runs ------------------------------------------------------------------------------------------------


def kept(state: State, name: str, now: float, seconds: float) -> State:
    """A process wants to keep the runs for so long: it does where nobody else does. It says so again before half of it is over."""
    keeper = state.keeper
    if keeper and keeper.name != name and now < keeper.until:
        return state
    if keeper and keeper.name == name and now < keeper.until - seconds / 2.0:
        return state
    return replace(state, keeper=Keeper(name=name, until=now + seconds))


def left(state: State, name: str) -> State:
    """A process keeps the runs no more."""
    return replace(state, keeper=None) if state.keeper and state.keeper.name == name else state


def _same(one: DataVersion | None, other: DataVersion | None) -> bool:
    return (one.md5 if one else None) == (other.md5 if other else None)


def _with(reasons: tuple[Reason, ...], reason: Reason) -> tuple[Reason, ...]:
    known = any(own.key == reason.key for own in reasons)
    return reasons if known or len(reasons) >= MOST_REASONS else (*reasons, reason)


def _newer(state: State, pending: Pending) -> bool:
    """Whether the newest data are of use to a run: not those of its pipeline's last conclusive run, nor refused as they are.

    That reindexing refused them is no reason against a retraining that an alert asks for: where pictures are of a new kind, the codes
    that the old hasher gives them are what it refuses.
    """
    reindexed = _last(state, "reindex")
    refused = (
        reindexed is not None
        and reindexed.outcome is not None
        and reindexed.outcome.verdict is Verdict.REFUSED
        and all(reason.kind is not Kind.ALERT for reason in pending.reasons)
    )
    if state.data is None or state.data.md5 == state.settled:
        return False
    done = (_last(state, pending.pipeline), reindexed if refused else None)
    return not any(run and _same(run.data, state.data) for run in done)


def _last(state: State, pipeline: Pipeline) -> Run | None:
    """The last run of a pipeline that was conclusive."""
    runs = (run for run in state.history if run.pipeline == pipeline and run.outcome)
    return next((run for run in runs if run.outcome and run.outcome.verdict in _CONCLUSIVE), None)


def _again(state: State, run: Run) -> State:
    """A run that broke is pending once more, with the reasons that have come meanwhile."""
    waiting = state.wanted(run.pipeline)
    reasons = run.reasons
    for reason in waiting.reasons if waiting else ():
        reasons = _with(reasons, reason)
    return state.but(run.pipeline, Pending(pipeline=run.pipeline, reasons=reasons, attempt=run.attempt + 1))
