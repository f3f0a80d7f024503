"""The catalogue: every metric of every service, once. Dashboards, rules, docs/api.md and tests are made from it.

Names and units are Prometheus' own (seconds, bytes, ratios from 0 to 1, Unix times). A label's values are a fixed set, or as many as
stands here, and never a client's text. What somebody will divide are two counters, not buckets of a histogram, so that an
expression holds where Prometheus keeps histograms as native ones, which have no `le`.
BentoML's own request metrics are off: they keep a series for every path anybody ever asked for.
"""

import math
import os
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast

# BentoML names a folder in which processes add up their metrics, where series of generations that are gone live on. There is one
# process to a service: it keeps its own.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    core,
    disable_created_metrics,
    generate_latest,
    registry,
    values,
)
from prometheus_client.metrics import MetricWrapperBase

values.ValueClass = values.MutexValue  # whoever imported it before us saw that folder
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, which nobody reads

CONTENT_TYPE = CONTENT_TYPE_LATEST
Collector = registry.Collector
Family = core.Metric  # what a collector tells of one metric
Kind = Literal["counter", "gauge", "histogram"]
Unit = Literal["", "seconds", "bytes", "bits", "ratio", "timestamp"]
Service = Literal["retrieval", "trigger"]
REGISTRIES: dict[Service, CollectorRegistry] = {
    "retrieval": CollectorRegistry(auto_describe=True),
    "trigger": CollectorRegistry(auto_describe=True),
}


class Dashboard(StrEnum):
    """Where people look."""

    SERVICE = "Service"
    QUALITY = "Retrieval quality"
    STORE = "Store"
    PIPELINES = "Pipelines"


@dataclass(frozen=True)
class Label:
    """A label and its values.

    Attributes:
        values: all that there can be; empty where what is served decides.
        most: how many there are then, at most, in one process.
    """

    name: str
    values: tuple[str, ...] = ()
    most: int = 0

    @property
    def bound(self) -> int:
        """How many values it has at most."""
        return len(self.values) or self.most


@dataclass(frozen=True)
class Metric:
    """One line of the catalogue.

    Attributes:
        name: as it is exported; a counter's ends in `_total`.
        seen: the dashboard that shows it.
        services: whose it is.
        buckets: upper ends, of a histogram.
    """

    name: str
    kind: Kind
    unit: Unit
    meaning: str
    labels: tuple[Label, ...]
    seen: Dashboard
    services: tuple[Service, ...]
    buckets: tuple[float, ...] = ()

    @property
    def samples(self) -> frozenset[str]:
        """The names of its series."""
        ends = ("_bucket", "_sum", "_count") if self.kind == "histogram" else ("",)
        return frozenset(f"{self.name}{end}" for end in ends)

    @property
    def most_series(self) -> int:
        """How many series a process has of it at most."""
        each = len(self.buckets) + 3 if self.kind == "histogram" else 1  # +Inf, sum and count
        for label in self.labels:
            each *= label.bound
        return each


class Seconds(Histogram):
    """A histogram that finds its bucket by halves: that of the package looks at one after the other, which was a third of what the
    metrics of a search cost."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count an amount. Exemplars are not kept."""
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


CATALOGUE: dict[str, Metric] = {}
_BY_GENERATION: list[tuple[MetricWrapperBase, int]] = []  # and which of its labels that is
Instrument = TypeVar("Instrument", bound=MetricWrapperBase)


def _collected(
    name: str,
    kind: Kind,
    meaning: str,
    *labels: Label,
    seen: Dashboard,
    unit: Unit = "",
    services: tuple[Service, ...] = ("retrieval",),
    buckets: Sequence[float] = (),
) -> Metric:
    """A metric whose values a collector tells when they are asked for."""
    assert name not in CATALOGUE
    CATALOGUE[name] = Metric(name, kind, unit, meaning, labels, seen, services, tuple(buckets))
    return CATALOGUE[name]


def _registered(make: type[Instrument], metric: Metric) -> Instrument:
    options: dict[str, Any] = {"buckets": metric.buckets} if metric.buckets else {}
    names = [label.name for label in metric.labels]
    made = make(metric.name, metric.meaning, names, registry=None, **options)
    if "generation" in names:
        _BY_GENERATION.append((made, names.index("generation")))
    for service in metric.services:
        REGISTRIES[service].register(made)
    return made


def _counter(name: str, meaning: str, *labels: Label, **more: Any) -> Counter:
    return _registered(Counter, _collected(name, "counter", meaning, *labels, **more))


def _gauge(name: str, meaning: str, *labels: Label, **more: Any) -> Gauge:
    return _registered(Gauge, _collected(name, "gauge", meaning, *labels, **more))


def _seconds(
    name: str, meaning: str, *labels: Label, buckets: Sequence[float] = (), **more: Any
) -> Histogram:
    found = _collected(
        name, "histogram", meaning, *labels, unit="seconds", buckets=buckets or _BUCKETS, **more
    )
    return _registered(Seconds, found)


_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REQUEST_BUCKETS = (0.0025, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)  # of each route
_RUN_BUCKETS = (10.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
_SERVICE: Any = {"seen": Dashboard.SERVICE}
_QUALITY: Any = {"seen": Dashboard.QUALITY}
_STORE: Any = {"seen": Dashboard.STORE}
_TRIGGER: Any = {"seen": Dashboard.PIPELINES, "services": ("trigger",)}
_BOTH: tuple[Service, ...] = ("retrieval", "trigger")

GENERATION = Label("generation", most=3)  # what is served, what was before, and none
ROUTE = Label("route", most=30)
STATUS = Label("status", ("2xx", "3xx", "4xx", "5xx"))
REASON = Label("reason", most=36)  # see `services.web.problems.TITLES`
STAGE = Label("stage", ("headers", "idle", "body", "answering", "stalled", "ending"))

# -- requests, searches, connections ----------------------------------------------------------------------

REQUESTS = _counter(
    "taxohash_requests_total",
    "Requests answered, by the class of their status.",
    ROUTE,
    STATUS,
    GENERATION,
    **_SERVICE,
)
REQUEST_SECONDS = _seconds(
    "taxohash_request_seconds",
    "Time to answer, upload included.",
    ROUTE,
    buckets=_REQUEST_BUCKETS,
    **_SERVICE,
)
SEARCHES_TIMED = _counter(
    "taxohash_searches_timed_total",
    "Searches that were answered, by whether within the time that they should be, from the end of their body: `in time`, or `late`, as all are that the service failed to answer. Those that a client is to blame for, and those refused as too many, are not counted.",
    Label("outcome", ("in time", "late")),
    **_SERVICE,
)
SEARCHES_OBJECTIVE = _gauge(
    "taxohash_searches_objective_seconds",
    "Within which a search should be answered.",
    unit="seconds",
    **_SERVICE,
)
STAGE_SECONDS = _seconds(
    "taxohash_stage_seconds",
    "Time of one stage of a search.",
    Label("stage", ("decode", "encode", "search", "describe")),
    **_SERVICE,
)
SEARCHES = _gauge("taxohash_searches", "Searches under way, from the end of their body.", **_SERVICE)
SEARCHES_MOST = _gauge(
    "taxohash_searches_most", "Searches that may be under way; beyond, they are refused.", **_SERVICE
)
UPLOADS = _gauge("taxohash_uploads", "Bodies that take longer to arrive.", **_SERVICE)
UPLOADS_BYTES = _gauge(
    "taxohash_uploads_bytes",
    "Of bodies that are held, until their searches are answered.",
    unit="bytes",
    **_SERVICE,
)
REJECTED = _counter("taxohash_upload_rejected_total", "Searches refused.", REASON, **_SERVICE)
NOT_LET_IN = _counter(
    "taxohash_not_let_in_total",
    "Requests that the gate refused.",
    Label("reason", ("missing", "wrong", "expired", "role", "rate", "origin")),
    **_SERVICE,
)
CONNECTIONS = _gauge("taxohash_connections", "Connections of clients.", STAGE, **_SERVICE)
CONNECTIONS_REFUSED = _counter(
    "taxohash_connections_refused_total",
    "Connections ended with an error before the application saw a request.",
    Label("status", most=10),
    **_SERVICE,
)
CONNECTIONS_REPLACED = _counter(
    "taxohash_connections_replaced_total",
    "Connections that made way for others.",
    STAGE,
    **_SERVICE,
)
DECODE_SECONDS = _seconds(
    "taxohash_decode_seconds",
    "Time from a picture's bytes to its pixels, waiting included, by how much was expected of it.",
    Label("weight", ("small", "large", "heavy")),
    **_SERVICE,
)
DECODERS_REPLACED = _counter(
    "taxohash_decoders_replaced_total",
    "Processes for decoding that were replaced, by how the old one ended.",
    Label("reason", ("time", "killed", "crashed")),
    **_SERVICE,
)
LOG_LINES_LEFT_OUT = _counter(
    "taxohash_log_lines_left_out_total",
    "Lines of the log that were counted instead of written.",
    Label(
        "reason",
        (
            *("that cost nothing", "to write that were not let in", "that failed", "that were refused"),
            *("that nobody read", "that could not be made"),
        ),
    ),
    seen=Dashboard.SERVICE,
    services=_BOTH,
)

# -- what is served ---------------------------------------------------------------------------------------

READY = _gauge("taxohash_ready", "1 where a process is ready.", **_SERVICE)
CODES_LOADED = _gauge("taxohash_codes_loaded", "Codes a process searches.", GENERATION, **_SERVICE)
GENERATION_SERVED = _gauge(
    "taxohash_generation_served", "1 of the generation that a process serves.", GENERATION, **_SERVICE
)
PINNED = _gauge(
    "taxohash_pinned", "1 where a process serves one generation whatever is published.", **_SERVICE
)
PUBLISHED_NOT_SERVED = _gauge(
    "taxohash_published_not_served",
    "1 where another generation is published than a process serves that follows what is.",
    **_SERVICE,
)
SWAPS = _counter(
    "taxohash_swaps_total",
    "Changes of the generation that a process serves, the first included, by how they ended; each try that failed is one.",
    Label("outcome", ("done", "failed")),
    **_SERVICE,
)
SWAP_SECONDS = _gauge(
    "taxohash_swap_seconds",
    "That the last change of the generation took, from when it was known.",
    unit="seconds",
    **_SERVICE,
)
SWAP_FAILING = _gauge(
    "taxohash_swap_failing",
    "1 where what is to be served cannot be loaded, or nobody can tell what is.",
    **_SERVICE,
)
LAG_SECONDS = _gauge(
    "taxohash_replica_lag_seconds", "For which a write that is known is unread.", unit="seconds", **_SERVICE
)
AGE_SECONDS = _gauge(
    "taxohash_replica_age_seconds",
    "Since a process last had all that the code store has.",
    unit="seconds",
    **_SERVICE,
)
KEYS_FILE_FAILING = _gauge(
    "taxohash_api_keys_file_failing",
    "1 where the file of API keys cannot be read, so that those read before stay in force.",
    **_SERVICE,
)
KEYS_EXPIRE = _gauge(
    "taxohash_api_keys_expire_timestamp_seconds",
    "Unix time at which the next API key expires, +Inf where none does.",
    unit="timestamp",
    **_SERVICE,
)
KEYS_EXPIRE.set(math.inf)
CERTIFICATE_EXPIRES = _gauge(
    "taxohash_certificate_expires_timestamp_seconds",
    "Unix time at which the certificate by which the code store is known expires, of several the first, +Inf where it shows none or none is asked for.",
    unit="timestamp",
    **_STORE,
)

CERTIFICATE_EXPIRES.set(math.inf)

# -- retrieval health: what was asked and answered, beside its reference in the generation that is served ----
# Of searches by picture in all items, but of pictures that an item has; each beside what it was of held-out queries when the generation
# was made. A metric of the reference has no series where the generation does not know it.

SERVED = Label("generation", most=1)  # no other is told
LEVEL = Label("level", most=12)
BAND = Label("band", tuple(str(number) for number in range(8)))
BIT = Label("bit", most=128)  # of longer codes none is told
NODE = Label("node", most=18)  # the 16 with the most queries of the reference, `other` and `none`
_CONFIDENCE = (0.25, 0.5, 0.75, 0.9)
_DISTANCES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0)

QUERIES = _collected(
    "taxohash_queries_total",
    "counter",
    "Queries of which the following are shares: all, or as many as can be counted by a five-hundredth of a core, whatever they are.",
    SERVED,
    **_QUALITY,
)
SEARCHES_ANSWERED = _collected(
    "taxohash_searches_answered_total",
    "counter",
    "The same queries, by whether the nearest item is as near as for nine in ten queries of the evaluation: `near` or `far`.",
    Label("nearness", ("near", "far")),
    SERVED,
    **_QUALITY,
)
REFERENCE_QUERIES = _collected(
    "taxohash_queries_reference", "gauge", "Queries of the reference.", SERVED, **_QUALITY
)
NEAREST = _collected(
    "taxohash_nearest_distance",
    "histogram",
    "Hamming distance of the nearest item.",
    SERVED,
    unit="bits",
    buckets=_DISTANCES,
    **_QUALITY,
)
NEAREST_BAND = _collected(
    "taxohash_nearest_band_total",
    "counter",
    "Queries by the distance of their nearest item, in bands of the reference of about as many queries each, 0 the nearest.",
    SERVED,
    BAND,
    **_QUALITY,
)
NEAREST_BAND_REFERENCE = _collected(
    "taxohash_nearest_band_reference",
    "gauge",
    "Share of the reference's queries in each band.",
    SERVED,
    BAND,
    unit="ratio",
    **_QUALITY,
)
TOP_NODE = _collected(
    "taxohash_top_node_total",
    "counter",
    "Queries by the first node of the path that their answer told, `none` where it was sure of none, `other` for rare ones.",
    SERVED,
    NODE,
    **_QUALITY,
)
TOP_NODE_REFERENCE = _collected(
    "taxohash_top_node_reference",
    "gauge",
    "Share of the reference's queries at each first node.",
    SERVED,
    NODE,
    unit="ratio",
    **_QUALITY,
)
CONFIDENCE = _collected(
    "taxohash_confidence",
    "histogram",
    "How sure answers were of the query's node on each level, 0 where they told none there.",
    SERVED,
    LEVEL,
    unit="ratio",
    buckets=_CONFIDENCE,
    **_QUALITY,
)
CONFIDENCE_REFERENCE = _collected(
    "taxohash_confidence_reference",
    "gauge",
    "Mean of the reference's queries on each level.",
    SERVED,
    LEVEL,
    unit="ratio",
    **_QUALITY,
)
UNLIKE = _collected(
    "taxohash_unlike_total", "counter", "Queries that are like nothing known.", SERVED, **_QUALITY
)
UNLIKE_REFERENCE = _collected(
    "taxohash_unlike_reference",
    "gauge",
    "Share of the reference's queries that are.",
    SERVED,
    unit="ratio",
    **_QUALITY,
)
BIT_SET = _collected(
    "taxohash_bit_set_total", "counter", "Queries whose code has the bit set.", SERVED, BIT, **_QUALITY
)
BIT_SET_REFERENCE = _collected(
    "taxohash_bit_set_reference",
    "gauge",
    "Share of the reference's queries that have it set.",
    SERVED,
    BIT,
    unit="ratio",
    **_QUALITY,
)
CODE_ENTROPY = _collected(
    "taxohash_code_entropy",
    "gauge",
    "Mean entropy of a bit of the items' codes, of 65,536 drawn by chance where there are more.",
    SERVED,
    unit="bits",
    **_QUALITY,
)
CODE_ENTROPY_REFERENCE = _collected(
    "taxohash_code_entropy_reference",
    "gauge",
    "The same of the items that the hasher was trained on.",
    SERVED,
    unit="bits",
    **_QUALITY,
)
CANARIES = _collected("taxohash_canaries", "gauge", "Canaries that a round asks with.", SERVED, **_QUALITY)
CANARY_RECALL = _collected(
    "taxohash_canary_recall",
    "gauge",
    "Share of the canaries that have their class of each level among their ten nearest items, of the last round.",
    SERVED,
    LEVEL,
    unit="ratio",
    **_QUALITY,
)
CANARY_RECALL_REFERENCE = _collected(
    "taxohash_canary_recall_reference",
    "gauge",
    "The same when the generation was made.",
    SERVED,
    LEVEL,
    unit="ratio",
    **_QUALITY,
)
CANARIES_ASKED = _collected(
    "taxohash_canaries_asked_timestamp_seconds",
    "gauge",
    "Unix time of the last round.",
    SERVED,
    unit="timestamp",
    **_QUALITY,
)
SAMPLED_QUERIES = _counter(
    "taxohash_sampled_queries_total",
    "Pictures that were searched for and chosen to be kept: `kept`, `dropped` as too much waited or waited too long, or `failed` to be written.",
    Label("outcome", ("kept", "dropped", "failed")),
    **_QUALITY,
)
SAMPLED_QUERIES_KEPT = _gauge(
    "taxohash_sampled_queries_kept", "Sampled queries that are kept, as a process last saw them.", **_QUALITY
)
SAMPLED_QUERIES_LEFT = _counter(
    "taxohash_sampled_queries_left_total",
    "Looks for sampled queries that have to go which failed, so that they go later.",
    **_QUALITY,
)

# -- the code store, as each serving process sees it --------------------------------------------------------

STORE_REACHABLE = _gauge("taxohash_store_reachable", "1 where the code store answers a process.", **_STORE)
STORE_LOOKED = _gauge(
    "taxohash_store_looked_timestamp_seconds",
    "Unix time at which the following were last read.",
    unit="timestamp",
    **_STORE,
)
STORE_ITEMS = _gauge("taxohash_store_items", "Items of the collection, of what is published.", **_STORE)
STORE_LACKING = _gauge(
    "taxohash_store_items_lacking_codes",
    "Those that have no code there yet, but for those whose picture is in quarantine.",
    **_STORE,
)
STORE_BEHIND = _gauge(
    "taxohash_store_backfill_items",
    "The same of generations that are being filled and are not published yet, 0 where none is.",
    **_STORE,
)
STORE_MEMORY = _gauge(
    "taxohash_store_memory_bytes", "That the server holds, of a cluster the fullest.", unit="bytes", **_STORE
)
STORE_MEMORY_MOST = _gauge(
    "taxohash_store_memory_most_bytes",
    "That it may hold, +Inf where it has no bound.",
    unit="bytes",
    **_STORE,
)
STORE_STREAM = _gauge(
    "taxohash_store_stream_entries", "Changes that the streams of the collection hold.", **_STORE
)
STORE_SAVED = _gauge(
    "taxohash_store_saved_timestamp_seconds",
    "Unix time at which the server last wrote its snapshot, or was started; of a cluster the earliest.",
    unit="timestamp",
    **_STORE,
)
STORE_PERSISTS = _gauge(
    "taxohash_store_persists",
    "1 where the servers write a log of changes, and the last writes of all they write went well.",
    **_STORE,
)

# -- the trigger, and what runs of pipelines came to ----------------------------------------------------------

COLLECTION = Label("collection", most=1)
PIPELINE = Label("pipeline", ("retrain", "reindex", "drift"))
VERDICT = Label(
    "verdict",
    (
        "published",
        "awaiting approval",
        "refused",
        "failed",
        "interrupted",
        "steady",
        "too few",
        "drifted",
        "chosen",
    ),
)  # see `services.runs.Verdict`

RUN_STEP = Label("step", most=16)
RUN_COMPARED = Label("metric", most=40)

TRIGGER_REQUESTS = _counter(
    "taxohash_trigger_requests_total",
    "Requests that the trigger answered.",
    Label("route", most=16),
    STATUS,
    **_TRIGGER,
)
TRIGGER_REASONS = _counter(
    "taxohash_trigger_reasons_total",
    "Reasons for a run that the trigger was told, repeated ones too.",
    Label("kind", ("alert", "schedule", "data", "person")),
    **_TRIGGER,
)
TRIGGER_RUNS = _counter(
    "taxohash_trigger_runs_total", "Runs that ended.", COLLECTION, PIPELINE, VERDICT, **_TRIGGER
)
TRIGGER_RUN_SECONDS = _seconds(
    "taxohash_trigger_run_seconds",
    "From the beginning of a run to its end.",
    COLLECTION,
    PIPELINE,
    VERDICT,
    buckets=_RUN_BUCKETS,
    **_TRIGGER,
)
TRIGGER_RUNNING = _gauge(
    "taxohash_trigger_running",
    "1 of the pipeline of which a run is under way.",
    COLLECTION,
    PIPELINE,
    **_TRIGGER,
)
TRIGGER_PENDING = _gauge(
    "taxohash_trigger_pending",
    "1 of the standing that a pending run has.",
    COLLECTION,
    PIPELINE,
    Label(
        "standing",
        (
            *("ready", "waiting for the run under way", "waiting for data", "waiting for approval"),
            *("cooling down", "limit of runs reached"),
        ),
    ),  # see `services.trigger.decide.Standing`
    **_TRIGGER,
)
TRIGGER_APPROVALS = _gauge(
    "taxohash_trigger_approvals_waiting",
    "Runs, and generations that runs made, that wait for somebody's approval.",
    COLLECTION,
    **_TRIGGER,
)
TRIGGER_DATA_SEEN = _gauge(
    "taxohash_trigger_data_timestamp_seconds",
    "Unix time at which the newest data version was first seen.",
    COLLECTION,
    unit="timestamp",
    **_TRIGGER,
)
TRIGGER_SERVED_DATA = _gauge(
    "taxohash_trigger_served_data_timestamp_seconds",
    "Unix time at which the data version was first seen that the last published run was made of.",
    COLLECTION,
    unit="timestamp",
    **_TRIGGER,
)
TRIGGER_WATCH_FAILING = _gauge(
    "taxohash_trigger_watch_failing",
    "1 where the repository of the data versions cannot be read.",
    COLLECTION,
    **_TRIGGER,
)
RUN_ENDED = _gauge(
    "taxohash_run_ended_timestamp_seconds",
    "Unix time at which the last run with a verdict ended.",
    COLLECTION,
    PIPELINE,
    VERDICT,
    unit="timestamp",
    **_TRIGGER,
)
RUN_SECONDS = _gauge(
    "taxohash_run_seconds",
    "That a pipeline's last run took.",
    COLLECTION,
    PIPELINE,
    unit="seconds",
    **_TRIGGER,
)
RUN_STEP_SECONDS = _gauge(
    "taxohash_run_step_seconds",
    "Of each step of a pipeline's last run, 0 where it was cached.",
    COLLECTION,
    PIPELINE,
    RUN_STEP,
    unit="seconds",
    **_TRIGGER,
)
RUN_METRIC = _gauge(
    "taxohash_run_metric",
    "What a pipeline's last run measured: the metric's value, the bound it had to reach, and the ends of the interval of their difference.",
    COLLECTION,
    PIPELINE,
    RUN_COMPARED,
    Label("part", ("value", "bound", "low", "high")),
    **_TRIGGER,
)

# -- the process ------------------------------------------------------------------------------------------

for _name, _kind, _unit, _meaning in (
    ("process_cpu_seconds_total", "counter", "seconds", "CPU time of the process."),
    ("process_resident_memory_bytes", "gauge", "bytes", "Memory of the process."),
    ("process_virtual_memory_bytes", "gauge", "bytes", "Addresses of the process."),
    ("process_start_time_seconds", "gauge", "timestamp", "Unix time at which it was started."),
    ("process_open_fds", "gauge", "", "Files and connections that it has open."),
    ("process_max_fds", "gauge", "", "Those that it may have."),
):
    _collected(_name, _kind, _meaning, unit=_unit, seen=Dashboard.SERVICE, services=_BOTH)  # type: ignore[arg-type]
for _registry in REGISTRIES.values():
    ProcessCollector(registry=_registry)


@lru_cache(1024)  # prometheus_client takes longer to find one
def requests(route: str, status: int, generation: str) -> Counter:
    """The requests of these labels."""
    return REQUESTS.labels(route, f"{status // 100}xx", generation)


def forget_generations(but: Collection[str]) -> None:
    """Let all series go that name a generation, but those of these; the empty one is none."""
    forgotten = False
    for instrument, place in _BY_GENERATION:
        for labels in [*instrument._metrics]:
            if labels[place] not in but:
                instrument.remove(*labels)
                forgotten = True
    if forgotten:
        requests.cache_clear()


def keep_only(instrument: MetricWrapperBase, begins: Sequence[str], kept: Collection[Sequence[str]]) -> None:
    """Of the series whose first labels are these, let all go but those whose further labels are among `kept`."""
    begin, ends = tuple(begins), {tuple(end) for end in kept}
    for labels in [*instrument._metrics]:
        if labels[: len(begin)] == begin and labels[len(begin) :] not in ends:
            instrument.remove(*labels)


@lru_cache(16)
def stage_seconds(stage: str) -> Histogram:
    """The seconds of a stage of searches."""
    return STAGE_SECONDS.labels(stage)


@lru_cache(256)
def request_seconds(route: str) -> Histogram:
    """The seconds of a route."""
    return REQUEST_SECONDS.labels(route)


def family(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    """A counter or a gauge for a collector to tell, with its values by those of its labels."""
    make: Any = core.CounterMetricFamily if metric.kind == "counter" else core.GaugeMetricFamily
    made = make(metric.name, metric.meaning, labels=[label.name for label in metric.labels])
    for labels, value in values.items():
        made.add_metric(labels, value)
    return cast(Family, made)


def histogram(metric: Metric, values: Mapping[tuple[str, ...], tuple[Sequence[int], int, float]]) -> Family:
    """A histogram for a collector to tell: by the values of its labels how many are no greater than each bucket's end, how many there
    are, and their sum."""
    made = core.HistogramMetricFamily(
        metric.name, metric.meaning, labels=[label.name for label in metric.labels]
    )
    for labels, (counts, count, total) in values.items():
        ends = [str(end) for end in metric.buckets]
        made.add_metric(labels, [*zip(ends, counts, strict=True), ("+Inf", count)], total)
    return made


def samples(service: Service, names: Sequence[str]) -> list[tuple[str, dict[str, str], float]]:
    """The samples of these names as they are now, each with its labels; what is not exported is left out."""
    named = REGISTRIES[service].restricted_registry(names)
    return [(own.name, own.labels, own.value) for metric in named.collect() for own in metric.samples]


def exposition(service: Service) -> bytes:
    """All metrics of a service in Prometheus' text format."""
    return generate_latest(REGISTRIES[service])
