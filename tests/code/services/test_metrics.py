"""The catalogue: names and bounds, label values as the code has them, and series that go with what they are of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram

from services import metrics
from services.metrics import CATALOGUE, Label, Metric
from services.retrieval.routes import ENDPOINTS
from services.retrieval.server.connections import Stage
from services.runs import Verdict
from services.trigger.decide import Standing
from services.trigger.records import PIPELINES, Kind
from services.trigger.routes import ENDPOINTS as TRIGGER_ENDPOINTS
from services.web.problems import TITLES
from tests.code.services.test_reference import texts
from tests.support.monitoring import PROGRAMS
from tests.support.scraped import OF_HEALTH, faults, linted

MOST_SERIES = 1500  # of a process
NAMED = re.compile(
    r"(?<![\w:])taxohash_[a-z0-9_]*[a-z0-9](?!\w|:\w)"
)  # and no part of the name of a recording rule
OTHERS = {"taxohash_runbook"}  # a label of Prometheus' own
UNITS = {
    "": "",
    "ratio": "",
    "seconds": "_seconds",
    "bytes": "_bytes",
    "bits": "",  # which promtool takes for an amount of data, to be told in bytes
    "timestamp": "_timestamp_seconds",
}


def label_of(name: str, label: str) -> Label:
    return next(own for own in CATALOGUE[name].labels if own.name == label)


@pytest.mark.parametrize("service", ["retrieval", "trigger"])
def test_a_process_has_so_many_series_at_most(service: str) -> None:
    own = [metric for metric in CATALOGUE.values() if service in metric.services]
    assert len(own) > 15
    assert all(label.bound for metric in own for label in metric.labels)
    assert sum(metric.most_series for metric in own) <= MOST_SERIES


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=list(CATALOGUE))
def test_names_say_kind_and_unit(metric: Metric) -> None:
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    if metric.name != "process_start_time_seconds":  # as others have it
        assert metric.name.removesuffix("_total").endswith(UNITS[metric.unit])
    assert re.fullmatch(r"(taxohash|process)(_[a-z0-9]+)+", metric.name)
    assert re.fullmatch(r"[^\n]*\.", metric.meaning)


def test_labels_have_the_values_of_the_code() -> None:
    for name in ("taxohash_connections", "taxohash_connections_replaced_total"):
        assert label_of(name, "stage").values == tuple(stage.name.lower() for stage in Stage)
    assert label_of("taxohash_trigger_pending", "standing").values == tuple(own.value for own in Standing)
    assert label_of("taxohash_trigger_runs_total", "verdict").values == tuple(own.value for own in Verdict)
    assert label_of("taxohash_trigger_runs_total", "pipeline").values == PIPELINES
    assert label_of("taxohash_trigger_reasons_total", "kind").values == tuple(own.value for own in Kind)
    assert label_of("taxohash_upload_rejected_total", "reason").bound >= len(TITLES)
    routes = {endpoint.name for endpoint in ENDPOINTS} | {"none"}
    assert label_of("taxohash_requests_total", "route").bound >= len(routes)
    of_trigger = {endpoint.name for endpoint in TRIGGER_ENDPOINTS} | {"none"}
    assert label_of("taxohash_trigger_requests_total", "route").bound >= len(of_trigger)


@pytest.mark.parametrize("places", [("manifests", "docs", "services", "benchmarks"), ("README.md",)])
def test_every_metric_that_is_named_anywhere_is_catalogued(places: tuple[str, ...]) -> None:
    known = {name for metric in CATALOGUE.values() for name in (metric.name, *metric.samples)}
    unknown = {
        (file, name)
        for file, text in texts(*places)
        for name in NAMED.findall(text)
        if name not in known | OTHERS
    }
    assert not unknown


def test_a_metric_that_is_not_catalogued_is_found() -> None:
    invented = "taxohash_" + "invented_total"
    assert NAMED.findall(f'rate({invented}{{collection="a"}}[5m]), job:taxohash_rule:rate5m, taxohash_*') == [
        invented
    ]


def test_series_of_generations_that_are_gone_go_too() -> None:
    def generations() -> set[str]:
        return {
            sample.labels["generation"]
            for family in metrics.REGISTRIES["retrieval"].collect()
            for sample in family.samples
            if "generation" in sample.labels and sample.name != "taxohash_codes_loaded"
        }

    for number in range(5):
        metrics.requests("search", 200, f"gone {number}").inc()
        metrics.GENERATION_SERVED.labels(f"gone {number}").set(1)
    metrics.requests("search", 404, "").inc()
    metrics.forget_generations(but={"", "gone 3", "gone 4"})
    assert generations() >= {"", "gone 3", "gone 4"}
    assert not generations() & {"gone 0", "gone 1", "gone 2"}
    # What is counted after that is counted where it is seen.
    metrics.requests("search", 200, "gone 0").inc()
    assert "gone 0" in generations()
    metrics.forget_generations(but={""})
    assert not {own for own in generations() if own.startswith("gone")}


def test_of_some_series_only_those_that_are_wanted_are_kept() -> None:
    gauge = Gauge("some", "Some.", ["who", "what"], registry=(registry := CollectorRegistry()))
    for who in ("a", "b"):
        for what in ("x", "y"):
            gauge.labels(who, what).set(1)
    metrics.keep_only(gauge, ["a"], {("y",)})
    (family,) = registry.collect()
    assert [tuple(sample.labels.values()) for sample in family.samples] == [
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]


@given(amounts=st.lists(st.sampled_from([0.0, 1.0, 2.0]) | st.floats(-1.0, 4.0)))
def test_a_histogram_counts_as_that_of_the_package(amounts: list[float]) -> None:
    ours, theirs = (
        make("some", "Some.", registry=None, buckets=(0.0, 1.0, 2.0)) for make in (metrics.Seconds, Histogram)
    )
    for amount in amounts:
        ours.observe(amount)
        theirs.observe(amount)
    (own,), (wanted,) = ours.collect(), theirs.collect()
    assert own.samples == wanted.samples


def test_no_second_series_tells_when_the_first_began() -> None:
    metrics.requests("search", 404, "").inc()
    for service in metrics.REGISTRIES:
        assert "_created" not in metrics.exposition(service).decode()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("taxohash_ready 1.0", "taxohash_ready is not exported"),
        ("# TYPE taxohash_invented gauge\ntaxohash_invented 1.0", "taxohash_invented is not catalogued"),
        ("# TYPE taxohash_trigger_running gauge", "taxohash_trigger_running is not catalogued"),
        ("# TYPE taxohash_ready counter", "taxohash_ready is a counter, not a gauge"),
        ('# TYPE taxohash_ready gauge\ntaxohash_ready{who="me"} 1.0', "taxohash_ready has the labels ['who'], not []"),
        (
            '# TYPE taxohash_swaps_total counter\ntaxohash_swaps_total{outcome="odd"} 1.0',
            "taxohash_swaps_total has outcome ['odd'], not ('done', 'failed')",
        ),
        (
            "# TYPE taxohash_generation_served gauge\n"
            + "\n".join(f'taxohash_generation_served{{generation="{number}"}} 1.0' for number in range(4)),
            "taxohash_generation_served has 4 series, not 3 at most",
        ),
        (
            '# TYPE taxohash_stage_seconds histogram\ntaxohash_stage_seconds_bucket{le="7.0",stage="encode"} 1.0',
            "taxohash_stage_seconds_bucket has a bucket of its own",
        ),
    ],
)  # fmt: skip
def test_what_differs_from_the_catalogue_is_found(line: str, told: str) -> None:
    assert told in faults(f"{line}\n", "retrieval")


def test_this_process_exports_what_is_catalogued() -> None:
    for service in metrics.REGISTRIES:
        told = faults(metrics.exposition(service).decode(), service, missing=OF_HEALTH)
        assert not [fault for fault in told if "is not exported" in fault]


def test_names_are_as_prometheus_wants_them() -> None:
    for service in metrics.REGISTRIES:
        assert not linted(metrics.exposition(service).decode())
    assert not PROGRAMS.is_dir() or linted("# TYPE odd counter\nodd 1\n")
