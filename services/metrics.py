"""What Prometheus is told.

Counters and histograms at module level, so that several worker processes sum rightly; labels come from
fixed sets only, never from a request's path. BentoML's own request metrics are off for that reason: they
keep a series for every path anybody ever asked for.
"""

import os
from functools import lru_cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("taxohash_requests_total", "Requests answered.", ["route", "status", "generation"])
REQUEST_SECONDS = Histogram(
    "taxohash_request_seconds", "Time to answer, upload included.", ["route"], buckets=_BUCKETS
)
STAGE_SECONDS = Histogram(
    "taxohash_stage_seconds", "Time of one stage of a search.", ["stage"], buckets=_BUCKETS
)
REJECTED = Counter("taxohash_upload_rejected_total", "Searches refused.", ["reason"])
UPLOADS = Gauge("taxohash_uploads", "Bodies that take longer to arrive.", multiprocess_mode="livesum")
UPLOADS_BYTES = Gauge(
    "taxohash_uploads_bytes",
    "Of bodies that are held, until their searches are answered.",
    multiprocess_mode="livesum",
)
SEARCHES = Gauge(
    "taxohash_searches", "Searches under way, from the end of their body.", multiprocess_mode="livesum"
)
SEARCHES_ANSWERED = Counter(
    "taxohash_searches_answered_total",
    "Searches of all items that found any, by whether the nearest is as near as for nine in ten queries of the evaluation: `near` or `far`.",
    ["nearness", "generation"],
)
SAMPLED_QUERIES = Counter(
    "taxohash_sampled_queries_total",
    "Pictures that were searched for and chosen to be kept: `kept`, `dropped` as too much waited or waited too long, or `failed` to be written.",
    ["outcome"],
)
SAMPLED_QUERIES_KEPT = Gauge(
    "taxohash_sampled_queries_kept",
    "Sampled queries that are kept, as a process last saw them.",
    multiprocess_mode="livemax",
)
SAMPLED_QUERIES_LEFT = Counter(
    "taxohash_sampled_queries_left_total",
    "Looks for sampled queries that have to go which failed, so that they go later.",
)
DECODE_SECONDS = Histogram(
    "taxohash_decode_seconds",
    "Time from a picture's bytes to its pixels, waiting included, by how much was expected of it.",
    ["weight"],
    buckets=_BUCKETS,
)
DECODERS_REPLACED = Counter(
    "taxohash_decoders_replaced_total",
    "Processes for decoding that were replaced, by how the old one ended.",
    ["reason"],
)
CODES_LOADED = Gauge(
    "taxohash_codes_loaded", "Codes a process searches.", ["generation"], multiprocess_mode="livemax"
)
CONNECTIONS = Gauge("taxohash_connections", "Connections of clients.", ["stage"], multiprocess_mode="livesum")
CONNECTIONS_REFUSED = Counter(
    "taxohash_connections_refused_total",
    "Connections ended with an error before the application saw a request.",
    ["status"],
)
CONNECTIONS_REPLACED = Counter(
    "taxohash_connections_replaced_total", "Connections that made way for others.", ["stage"]
)
GENERATION_SERVED = Gauge(
    "taxohash_generation_served",
    "1 of the generation that a process serves.",
    ["generation"],
    multiprocess_mode="livemax",
)
READY = Gauge("taxohash_ready", "1 where a process is ready.", multiprocess_mode="livemin")
PINNED = Gauge(
    "taxohash_pinned",
    "1 where a process serves one generation whatever is published.",
    multiprocess_mode="livemax",
)
PUBLISHED_NOT_SERVED = Gauge(
    "taxohash_published_not_served",
    "1 where another generation is published than a process serves.",
    multiprocess_mode="livemax",
)
SWAP_FAILING = Gauge(
    "taxohash_swap_failing",
    "1 where what is to be served cannot be loaded, or nobody can tell what is.",
    multiprocess_mode="livemax",
)
STORE_REACHABLE = Gauge(
    "taxohash_store_reachable", "1 where the code store answers a process.", multiprocess_mode="livemin"
)
LAG_SECONDS = Gauge(
    "taxohash_replica_lag_seconds", "For which a write that is known is unread.", multiprocess_mode="livemax"
)
AGE_SECONDS = Gauge(
    "taxohash_replica_age_seconds",
    "Since a process last had all that the code store has.",
    multiprocess_mode="livemax",
)
KEYS_FILE_FAILING = Gauge(
    "taxohash_api_keys_file_failing",
    "1 where the file of API keys cannot be read, so that those read before stay in force.",
    multiprocess_mode="livemax",
)
KEYS_EXPIRE = Gauge(
    "taxohash_api_keys_expire_timestamp_seconds",
    "Unix time at which the next API key expires, +Inf where none does.",
    multiprocess_mode="livemin",
)
NOT_LET_IN = Counter("taxohash_not_let_in_total", "Requests that the gate refused.", ["reason"])
LOG_LINES_LEFT_OUT = Counter(
    "taxohash_log_lines_left_out_total",
    "Lines of the log that were counted instead of written.",
    ["reason"],
)

TRIGGER_REQUESTS = Counter(
    "taxohash_trigger_requests_total", "Requests that the trigger answered.", ["route", "status"]
)
TRIGGER_REASONS = Counter(
    "taxohash_trigger_reasons_total",
    "Reasons for a run that the trigger was told, repeated ones too.",
    ["kind"],
)
TRIGGER_RUNS = Counter(
    "taxohash_trigger_runs_total", "Runs that ended.", ["collection", "pipeline", "verdict"]
)
TRIGGER_RUNNING = Gauge(
    "taxohash_trigger_running", "1 of the pipeline of which a run is under way.", ["collection", "pipeline"]
)
TRIGGER_PENDING = Gauge(
    "taxohash_trigger_pending",
    "1 of the standing that a pending run has.",
    ["collection", "pipeline", "standing"],
)
TRIGGER_DATA_SEEN = Gauge(
    "taxohash_trigger_data_timestamp_seconds",
    "Unix time at which the newest data version was first seen.",
    ["collection"],
)
TRIGGER_WATCH_FAILING = Gauge(
    "taxohash_trigger_watch_failing",
    "1 where the repository of the data versions cannot be read.",
    ["collection"],
)
RUN_ENDED = Gauge(
    "taxohash_run_ended_timestamp_seconds", "Unix time at which the last run with a verdict ended.",
    ["collection", "pipeline", "verdict"],
)  # fmt: skip
RUN_STEP_SECONDS = Gauge(
    "taxohash_run_step_seconds", "Of each step of a pipeline's last run, 0 where it was cached.", ["collection", "pipeline", "step"]
)  # fmt: skip
RUN_METRIC = Gauge(
    "taxohash_run_metric",
    "What a pipeline's last run measured: the metric's value, the bound it had to reach, and the ends of the interval of their difference.",
    ["collection", "pipeline", "metric", "part"],
)  # fmt: skip

CONTENT_TYPE = CONTENT_TYPE_LATEST


@lru_cache(1024)  # prometheus_client takes longer to find one
def requests(route: str, status: int, generation: str) -> Counter:
    """The requests of these labels."""
    return REQUESTS.labels(route, str(status), generation)


@lru_cache(16)
def stage_seconds(stage: str) -> Histogram:
    """The seconds of a stage of searches."""
    return STAGE_SECONDS.labels(stage)


@lru_cache(256)
def request_seconds(route: str) -> Histogram:
    """The seconds of a route."""
    return REQUEST_SECONDS.labels(route)


def exposition() -> bytes:
    """All metrics in Prometheus' text format, summed over the worker processes where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
