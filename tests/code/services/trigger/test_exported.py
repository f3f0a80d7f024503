"""What the trigger's memory looks like to Prometheus."""

from dataclasses import replace
from typing import Any

import pytest

from services.metrics import REGISTRIES
from services.runs import Outcome, Verdict
from services.trigger import decide
from services.trigger.decide import Policy, Standing
from services.trigger.exported import count, export
from services.trigger.records import DataVersion, Kind, Reason, Run, State
from taxohash.release.judging import Compared

COLLECTION = "exported"
COMPARED = Compared(metric="mAP", value=0.8, bound=0.7, difference=0.1, low=0.05, high=0.15)


def value(name: str, **labels: str) -> float | None:
    return REGISTRIES["trigger"].get_sample_value(
        name, {"collection": COLLECTION, "pipeline": "retrain", **labels}
    )


@pytest.fixture
def pending() -> State:
    reason = Reason(kind=Kind.ALERT, key="a", text="a", time=0.0)
    data = DataVersion(md5="one", revision="c", time=5.0)
    return decide.asked(replace(State(), data=data), "retrain", reason)


def test_what_is_pending_under_way_and_over(pending: State) -> None:
    policy = Policy()
    export(pending, policy, 10.0, COLLECTION)
    assert value("taxohash_trigger_pending", standing=Standing.READY.value) == 1.0
    assert value("taxohash_trigger_pending", standing=Standing.DATA.value) == 0.0
    assert (
        REGISTRIES["trigger"].get_sample_value(
            "taxohash_trigger_data_timestamp_seconds", {"collection": COLLECTION}
        )
        == 5.0
    )
    running = decide.begun(pending, pending.pending[0], "r", 10.0)
    export(running, policy, 10.0, COLLECTION)
    assert value("taxohash_trigger_pending", standing=Standing.READY.value) == 0.0
    assert value("taxohash_trigger_running") == 1.0
    outcome = Outcome(
        run="r", pipeline="retrain", collection=COLLECTION, verdict=Verdict.REFUSED, reason="", started=10.0,
        compared=(COMPARED,), seconds={"train": 7.0},
    )  # fmt: skip
    export(decide.ended(running, "r", outcome, policy, 20.0), policy, 20.0, COLLECTION)
    assert value("taxohash_trigger_running") == 0.0
    assert value("taxohash_run_ended_timestamp_seconds", verdict="refused") == 20.0
    assert value("taxohash_run_step_seconds", step="train") == 7.0
    assert value("taxohash_run_metric", metric="mAP", part="value") == 0.8
    assert value("taxohash_run_metric", metric="mAP", part="high") == 0.15
    assert value("taxohash_trigger_runs_total", verdict="published") == 0.0


def outcome_of(verdict: Verdict, champion: str = "", **more: Any) -> Outcome:
    return Outcome(
        run="r", pipeline="retrain", collection="another", verdict=verdict, reason="", started=0.0, champion=champion, **more
    )  # fmt: skip


def ended(state: State, outcome: Outcome, data: str = "", began: float = 100.0, now: float = 160.0) -> State:
    """After a run that came to this."""
    if data:
        state = replace(state, data=DataVersion(md5=data, revision="c", time=began - 90.0))
    run = Run(name="r", pipeline="retrain", reasons=(), began=began, data=state.data)
    return decide.ended(replace(state, running=run), "r", outcome, Policy(), now, final=True)


def test_how_long_runs_took_of_the_last_and_of_all() -> None:
    run = Run(name="r", pipeline="retrain", reasons=(), began=100.0)
    before = value("taxohash_trigger_run_seconds_sum", verdict="refused") or 0.0
    for now in (130.0, 150.0):
        count(run, outcome_of(Verdict.REFUSED), now, COLLECTION)
    assert value("taxohash_trigger_run_seconds_sum", verdict="refused") == before + 80.0
    assert value("taxohash_trigger_runs_total", verdict="refused") is not None
    export(ended(State(), outcome_of(Verdict.FAILED)), Policy(), 200.0, COLLECTION)
    assert value("taxohash_run_seconds") == 60.0
    other = {"collection": "another", "pipeline": "retrain", "verdict": "refused"}
    assert REGISTRIES["trigger"].get_sample_value("taxohash_trigger_runs_total", other) is None


def test_what_the_run_before_had_is_told_no_more() -> None:
    first = outcome_of(Verdict.REFUSED, compared=(COMPARED,), seconds={"train": 7.0, "seal": 1.0})
    state = ended(State(), first)
    export(state, Policy(), 200.0, COLLECTION)
    assert value("taxohash_run_step_seconds", step="seal") == 1.0
    many = tuple(replace(COMPARED, metric=f"m{number}") for number in range(100))
    second = outcome_of(Verdict.REFUSED, compared=many, seconds={"train": 8.0})
    export(ended(state, second), Policy(), 300.0, COLLECTION)
    assert value("taxohash_run_step_seconds", step="train") == 8.0
    assert value("taxohash_run_step_seconds", step="seal") is None
    assert value("taxohash_run_metric", metric="mAP", part="value") is None
    assert value("taxohash_run_metric", metric="m39", part="value") == 0.8
    assert value("taxohash_run_metric", metric="m40", part="value") is None


def approvals(state: State, **policy: Any) -> float | None:
    export(state, Policy(**policy), 1000.0, COLLECTION)
    return REGISTRIES["trigger"].get_sample_value(
        "taxohash_trigger_approvals_waiting", {"collection": COLLECTION}
    )


def test_approvals_that_wait(pending: State) -> None:
    assert approvals(State()) == 0.0
    assert approvals(pending, ask_first=("alert",)) == 1.0
    made = ended(State(), outcome_of(Verdict.AWAITING, "old", generation="one"))
    made = ended(made, outcome_of(Verdict.REFUSED, "old"))
    assert approvals(made) == 1.0
    both = ended(made, outcome_of(Verdict.AWAITING, "old", generation="two"))
    assert approvals(both) == 2.0
    assert approvals(decide.approved(both, "one", "somebody")) == 0.0  # the other was compared with another
    assert approvals(decide.approved(both, "two", "somebody")) == 0.0
    published = ended(both, outcome_of(Verdict.PUBLISHED, "old", generation="three"))
    assert approvals(published) == 0.0
    assert approvals(ended(published, outcome_of(Verdict.AWAITING, "three", generation="four"))) == 1.0
    # Published by hand meanwhile, as the next run sees.
    assert approvals(ended(both, outcome_of(Verdict.AWAITING, "by hand", generation="four"))) == 1.0


def test_the_data_version_that_is_served_is_that_of_the_last_published_run() -> None:
    def told(state: State) -> float | None:
        export(state, Policy(), 1000.0, COLLECTION)
        return REGISTRIES["trigger"].get_sample_value(
            "taxohash_trigger_served_data_timestamp_seconds", {"collection": COLLECTION}
        )

    first = DataVersion(md5="one", revision="c", time=5.0)
    assert told(replace(State(), data=first, settled="one")) == 5.0
    state = ended(State(), outcome_of(Verdict.PUBLISHED, generation="g"), "two", 200.0)
    assert told(state) == 110.0
    state = ended(state, outcome_of(Verdict.REFUSED), "three", 300.0)
    assert told(state) == 110.0
    state = ended(state, outcome_of(Verdict.AWAITING, "g", generation="h"), "four", 400.0)
    assert told(state) == 110.0
    assert told(decide.approved(state, "h", "somebody")) == 310.0
