"""The curves are what happened."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.recent.curves import CURVES, LEAST_QUERIES, MOST_POINTS, drawn, points, shift, told
from services.retrieval.recent.past import Past, Spans
from services.retrieval.recent.recorder import SECONDS
from taxohash.drift.statistics import psi
from tests.support.recorded import LEVELS, Metrics, recorder_of

JSON = dict[str, Any]


def curves_of(metrics: Metrics, readings: int, between: Callable[[int], None]) -> dict[str, JSON]:
    past = recorder_of(metrics, readings, between)._past
    return {curve["name"]: curve for curve in drawn(past, points(past, 3600.0))}


def lines_of(curve: JSON) -> dict[str, JSON]:
    return {line["name"]: line for line in curve["lines"]}


def test_names_are_different_and_each_curve_says_what_it_means() -> None:
    assert len({curve.name for curve in CURVES}) == len(CURVES)
    for curve in CURVES:
        assert curve.meaning.endswith(".")
        assert curve.title


def test_steady_traffic() -> None:
    metrics = Metrics()
    curves = curves_of(metrics, 181, lambda reading: metrics.ask(10, far=1))
    assert {name: curve["lacking"] for name, curve in curves.items() if curve["lacking"]} == {}
    requests = lines_of(curves["requests"])
    assert requests["all"]["values"][0] is None
    assert requests["all"]["values"][1:] == [10 / SECONDS] * 180
    assert requests["server errors"]["now"] == 0.0
    p50, p99 = curves["latency"]["lines"]
    assert (p50["now"], p99["now"]) == (0.055, 0.0991)
    assert (p50["reference"], p99["reference"]) == (None, 0.25)
    assert (curves["searches"]["lines"][0]["now"], curves["searches"]["lines"][0]["reference"]) == (3.0, 64.0)
    assert curves["codes"]["lines"][0]["now"] == 120_000
    assert lines_of(curves["far"])["far"] | {"values": []} == {
        "name": "far",
        "now": 0.1,
        "reference": 0.1,
        "values": [],
    }
    assert curves["unlike"]["lines"][0]["now"] == 0.0
    assert 0 < curves["distances"]["lines"][0]["now"] < 0.05  # ten queries fill four bands unevenly
    for name, usual in (("confidence", 0.9), ("canaries", 0.95)):
        lines = lines_of(curves[name])
        assert tuple(lines) == LEVELS
        assert [(line["now"], line["reference"]) for line in lines.values()] == [(usual, usual)] * len(LEVELS)


def test_shift_is_the_index_of_the_check_for_drift() -> None:
    metrics = Metrics()
    past = recorder_of(metrics, 4, lambda reading: metrics.ask(60 * (reading - 1), bands=[0, 1, 1]))._past
    queries, found = shift(Spans.of(past, np.arange(4), 5.0))
    assert queries.tolist() == [0.0, 0.0, 60.0, 120.0]
    assert np.isnan(found[:2]).all()  # nobody asked anything
    usual, now = np.full(4, 0.25), np.array([1 / 3, 2 / 3, 0.0, 0.0])
    assert found[2:] == pytest.approx([psi(usual, now, 2000.0, 60.0), psi(usual, now, 2000.0, 120.0)])


def test_shares_of_few_queries_are_not_told() -> None:
    metrics = Metrics()
    curves = curves_of(metrics, 3, lambda reading: metrics.ask(LEAST_QUERIES // 2 - 1))
    for name, minutes in (("far", 10), ("unlike", 60), ("distances", 60), ("confidence", 60)):
        assert curves[name]["lacking"] == f"too few queries yet: it takes 50 in {minutes} minutes"
        assert all(line["now"] is None for line in curves[name]["lines"])
    curves = curves_of(Metrics(), 3, lambda reading: None)
    assert curves["latency"]["lacking"] == "nothing in the last 60 seconds"


def test_what_the_generation_does_not_know_is_not_measured() -> None:
    metrics = Metrics(health=False)
    curves = curves_of(metrics, 20, lambda reading: metrics.ask(20))
    for name in ("unlike", "distances", "confidence", "canaries"):
        assert curves[name]["lacking"] == "not measured of what is served"
    assert curves["far"]["lacking"] == ""


def test_before_the_first_reading_there_is_nothing() -> None:
    past = Past.none()
    assert points(past, 60.0).tolist() == []
    for curve in drawn(past, points(past, 60.0)):
        assert curve["lacking"] == "nothing is measured yet: look again in a few seconds"


def test_no_share_is_of_two_generations() -> None:
    metrics = Metrics()

    def between(reading: int) -> None:
        if reading == 11:
            metrics.swap("b")
        metrics.ask(20, far=20 if reading < 11 else 0, bands=[0])

    curves = curves_of(metrics, 15, between)
    far = curves["far"]["lines"][0]["values"]
    assert far[10] == 1.0
    assert far[11:] == [None, None, None, 0.0]  # too few; then of the new one alone
    assert set(curves["requests"]["lines"][0]["values"][1:]) == {20 / SECONDS}  # which go on


@given(st.integers(1, 800), st.integers(1, 60))
def test_points_are_the_last_ones_evenly_and_the_same_each_time(readings: int, minutes: int) -> None:
    past = Past(
        SECONDS * np.arange(readings, dtype=np.float64), np.arange(readings), (), (), np.empty((readings, 0))
    )
    ends = points(past, 60.0 * minutes)
    assert ends[-1] == readings - 1
    assert len(ends) <= MOST_POINTS + 1
    assert past.times[-1] - past.times[ends[0]] <= 60 * minutes
    every = int(np.diff(ends[:-1]).max()) if len(ends) > 2 else 1
    assert set(np.diff(ends[:-1]).tolist()) <= {every}
    assert all(end % every == 0 for end in ends[:-1])


@given(st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")) | st.just(float("inf")), max_size=20))
def test_numbers_are_told_shortly_and_none_where_there_are_none(values: list[float]) -> None:
    for value, found in zip(values, told(np.asarray(values, np.float64)), strict=True):
        if not np.isfinite(value):
            assert found is None
        else:
            assert found == pytest.approx(value, rel=1e-3, abs=1e-11)
            assert found is not None
            assert len(f"{found:g}".lstrip("-0.").replace(".", "").partition("e")[0]) <= 6
