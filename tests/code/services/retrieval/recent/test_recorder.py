"""The recorder reads by itself, tells what it has read, and goes on where the metrics cannot be read."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from services.retrieval.readiness import Standing
from services.retrieval.recent import Recorder, recorder
from services.retrieval.schemas.status import StatusTold
from tests.support.recorded import Metrics, recorder_of


def told(recorder: Recorder, minutes: int = 60) -> dict[str, Any]:
    standing = Standing("a", "a", "a", reachable=True)
    found = asyncio.run(recorder.told("shop", 700, standing, "ready", False, 60.0 * minutes))
    StatusTold.model_validate(json.loads(json.dumps(found, allow_nan=False)))
    return found


def test_what_is_told_is_as_its_model_says() -> None:
    empty = told(Recorder(list))
    assert (empty["times"], empty["swaps"], empty["served"]["codes"]) == ([], [], 700)
    metrics = Metrics()

    def between(reading: int) -> None:
        if reading == 31:
            metrics.swap("b")
        metrics.ask(3)

    made = recorder_of(metrics, 41, between)
    found = told(made)
    assert found["swaps"] == [{"when": found["times"][31], "generation": "b", "before": "a"}]
    assert len(found["times"]) == 41
    assert {len(line["values"]) for curve in found["curves"] for line in curve["lines"]} == {41}
    assert found["curves"] is told(made)["curves"]  # made once of each reading
    recently = told(made, 1)
    assert found["times"][-13:] == recently["times"] == told(made, 1)["times"]
    assert [swap["generation"] for swap in recently["swaps"]] == ["b"]


def test_it_keeps_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    made = recorder_of(Metrics(), 800, lambda _: None)
    assert len(made._past) == recorder.MOST == 721
    assert made._past.times[-1] - made._past.times[0] == 3600.0
    assert made._past.values.nbytes < 2**20


def test_a_clock_that_is_set_back_begins_anew() -> None:
    times = iter([100.0, 105.0, 50.0, 55.0])
    made = Recorder(Metrics().read, lambda: next(times))
    for _ in range(4):
        made.record()
    assert made._past.times.tolist() == [50.0, 55.0]


def test_it_reads_by_itself_and_goes_on_where_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder, "SECONDS", 0.001)
    tried = threading.Semaphore(0)

    def read() -> list[Any]:
        tried.release()
        if made._past is not None and len(made._past) == 2:
            raise ValueError("no such thing")
        return []

    made = Recorder(read, clock=counting())
    with caplog.at_level(logging.ERROR, "taxohash"):
        made.start()
        for _ in range(5):
            assert tried.acquire(timeout=30)
        made.stop()
    assert len(made._past) == 2
    assert [record.message for record in caplog.records] == [
        "the metrics cannot be read for the page of the status"
    ]
    assert "recorder" not in {thread.name for thread in threading.enumerate()}


def counting() -> Callable[[], float]:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    return clock
