"""What is read of the metrics, and added up over series that come and go."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge

from services import metrics
from services.retrieval.recent.reading import KEPT, OF_GENERATION, Key, Sample, Totals, samples


def test_every_series_is_of_a_metric_of_the_catalogue_and_of_labels_that_it_has() -> None:
    known = {sample: own for own in metrics.CATALOGUE.values() for sample in own.samples}
    assert len({own.name for own in KEPT}) == len(KEPT)
    for kept in KEPT:
        metric = known[kept.sample]
        assert "retrieval" in metric.services
        labels = {label.name for label in metric.labels} | {"le"}
        asked = {kept.by, kept.only[0] if kept.only else "", kept.but[0] if kept.but else ""} - {""}
        assert asked <= labels
    assert {"queries", "band", "canary recall", "confidence sum"} <= OF_GENERATION
    assert not {"requests", "memory"} & OF_GENERATION


def test_pages_and_probes_are_no_requests_and_routes_are_one() -> None:
    told = [
        request("search", "2xx", "a", 3),
        request("encode", "2xx", "a", 4),
        request("search", "2xx", "b", 5),
        request("search", "5xx", "a", 1),
        request("livez", "2xx", "a", 50),
        request("status", "2xx", "a", 60),
    ]
    values = Totals().then(told).values
    assert values == {Key("requests", "2xx"): 12.0, Key("requests", "5xx"): 1.0}


def request(route: str, status: str, generation: str, count: float) -> Sample:
    labels = {"route": route, "status": status, "generation": generation}
    return Sample("taxohash_requests_total", labels, count)


def served(generation: str) -> Sample:
    return Sample("taxohash_generation_served", {"generation": generation}, 1.0)


def test_busy_is_one_of_the_refusals() -> None:
    told = [
        Sample("taxohash_upload_rejected_total", {"reason": reason}, count)
        for reason, count in (("busy", 3.0), ("image", 2.0))
    ]
    assert Totals().then(told).values == {Key("rejected"): 5.0, Key("busy"): 3.0}


def test_gauges_are_as_they_are_and_go_with_their_series() -> None:
    first = Totals().then([Sample("taxohash_codes_loaded", {"generation": "a"}, 7.0)])
    assert first.values == {Key("codes"): 7.0}
    assert first.then([Sample("taxohash_codes_loaded", {"generation": "b"}, 5.0)]).values == {
        Key("codes"): 5.0
    }
    assert first.then([]).values == {}


def test_what_is_of_a_generation_begins_anew_with_another() -> None:
    def band(generation: str, number: str, count: float) -> Sample:
        labels = {"generation": generation, "band": number}
        return Sample("taxohash_nearest_band_total", labels, count)

    old = Totals().then([served("a"), band("a", "0", 9), band("a", "1", 4), request("search", "2xx", "a", 2)])
    new = old.then([served("b"), band("b", "0", 3), request("search", "2xx", "b", 1)])
    assert new.generation == "b"
    assert new.values == {Key("band", "0"): 3.0, Key("requests", "2xx"): 3.0}


def test_a_series_that_begins_anew_between_two_readings_takes_nothing_away() -> None:
    totals = Totals().then([request("search", "2xx", "a", 5)]).then([request("search", "2xx", "a", 2)])
    assert totals.values == {Key("requests", "2xx"): 7.0}


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3),
        max_size=8,
    )
)
def test_a_sum_of_counters_never_falls_and_has_every_increase(steps: list[Mapping[str, int]]) -> None:
    """Series come, grow, go with their generation, and come again from 0: beside a naive count of what happened."""
    there: dict[str, int] = {}
    totals, happened = Totals(), 0
    for step in steps:
        there = {
            name: there.get(name, 0) + more for name, more in step.items()
        }  # those not named are removed
        happened += sum(step.values())
        before = totals.values.get(Key("requests", "2xx"), 0.0)
        totals = totals.then([request("search", "2xx", name, count) for name, count in there.items()])
        assert totals.values.get(Key("requests", "2xx"), 0.0) == happened >= before


def test_what_is_not_exported_is_left_out_and_of_other_routes_no_seconds_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = CollectorRegistry(auto_describe=True)
    Gauge("taxohash_searches", "", registry=registry).set(2)
    Counter("taxohash_queries", "", ["generation"], registry=registry).labels("a").inc(4)
    Counter("taxohash_made_up", "", registry=registry).inc()
    monkeypatch.setitem(metrics.REGISTRIES, "retrieval", registry)
    metrics.request_seconds("encode").observe(1)
    found = [own for own in samples() if own.name != "taxohash_request_seconds_created"]
    buckets = [own for own in found if own.name.startswith("taxohash_request_seconds")]
    others = [own for own in found if own not in buckets]
    assert sorted(others) == [
        Sample("taxohash_queries_total", {"generation": "a"}, 4.0),
        Sample("taxohash_searches", {}, 2.0),
    ]
    ends = [float(own.labels["le"]) for own in buckets if own.labels]
    assert ends == [*metrics.CATALOGUE["taxohash_request_seconds"].buckets, float("inf")]
