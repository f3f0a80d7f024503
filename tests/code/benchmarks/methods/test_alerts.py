"""Alarms on noise are counted as Prometheus would see them."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.methods import alerts


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 5))
def test_an_alarm_is_as_long_as_it_waits_and_once(over: list[bool], wait: int) -> None:
    lengths = [len(list(run)) for beyond, run in groupby(over) if beyond]
    assert alerts.alarms(np.array(over, np.bool_), wait) == sum(length > wait for length in lengths)


@given(st.integers(1, 700), st.integers(1, 90))
def test_every_window_has_as_many_queries(queries: int, window: int) -> None:
    minutes = alerts.each_minute(queries, window, 1)
    assert set(alerts.in_windows(minutes[:, None].astype(float), window)[:, 0]) == {queries}


@pytest.mark.parametrize("name", alerts.RULES)
def test_a_draw_is_of_as_many_queries_as_asked_for(name: str) -> None:
    rule, random = alerts.RULES[name], np.random.default_rng(0)
    usual, draw = rule.draws(random)
    counts = draw(random, np.array([3, 0, 500]))
    assert counts.shape == (3, len(usual))
    assert (counts <= np.array([[3], [0], [500]])).all()
    assert counts[1].sum() == 0
    if name != "TaxohashBitsDrifted":  # of which a query may have any number
        assert counts.sum(axis=1).tolist() == [3, 0, 500]


@pytest.mark.parametrize("name", alerts.RULES)
def test_other_queries_are_noticed(name: str) -> None:
    rule, random = alerts.RULES[name], np.random.default_rng(0)
    usual, draw = rule.draws(random)
    now = draw(random, np.full(1, rule.least))
    assert rule.value(now, float(rule.least), usual)[0] < rule.bound
    other = np.zeros_like(now)
    other[:, -1 if name != "TaxohashBitsDrifted" else slice(None)] = rule.least
    assert rule.value(other, float(rule.least), usual)[0] > rule.bound


def test_few_days_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "STRETCH", 1)
    row = alerts.measure(2, 1, {"method": "TaxohashTopNodesDrifted"})
    assert row["days"] == 2
    assert row["alarms"]["0.5"] >= row["alarms"]["0.75"] >= row["alarms"]["1.0"]
    assert alerts.stated({**row, "size": 500}).startswith("none in 2 simulated days of 500 queries")
