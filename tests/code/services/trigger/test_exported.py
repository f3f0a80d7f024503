"""What the trigger's memory looks like to Prometheus."""

from dataclasses import replace

import pytest

from services.metrics import REGISTRIES
from services.runs import Outcome, Verdict
from services.trigger import decide
from services.trigger.decide import Policy, Standing
from services.trigger.exported import export
from services.trigger.records import DataVersion, Kind, Reason, State
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
