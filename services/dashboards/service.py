"""Dashboard Service: whether it answers, how fast, what it refuses, what it runs out of, and what it serves."""

from grafana_foundation_sdk.models.dashboard import Dashboard as Made

from services.dashboards.parts import (
    BLUE,
    DAY,
    GRAY,
    GREEN,
    OF_GENERATION,
    ORANGE,
    PROCESS,
    RED,
    SERVED,
    YELLOW,
    Panel,
    Query,
    bars,
    frame,
    lines,
    number,
    rows,
    states,
)
from services.metrics import Dashboard

# Of the processes that serve, which have no metric of their own name for these.
_OWN = f'job="taxohash", {SERVED}'
_WHICH = "{{pod}} {{instance}}"


def dashboard() -> Made:
    """The whole of it."""
    return frame(
        Dashboard.SERVICE,
        "Requests, their errors and durations; what is used of what there is; the stages of a search; what is served, and how current.",
        ("At a glance", _glance()),
        ("Requests", _requests()),
        ("Refusals", _refusals()),
        ("Stages of a search", _stages()),
        ("Saturation", _saturation()),
        ("What is served", _served()),
        of="taxohash_ready",
    )


def _rate(metric: str, by: str, more: str = "", of: str = SERVED) -> str:
    wanted = f"{of}, {more}" if more else of
    return f"sum by ({by}) (rate({metric}{{{wanted}}}[$__rate_interval]))"


def _total(metric: str, more: str = "") -> str:
    wanted = f"{SERVED}, {more}" if more else SERVED
    return f"sum(rate({metric}{{{wanted}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str = "", more: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {_rate(f'{metric}_bucket', labels, more)})"


def _increase(metric: str, by: str) -> str:
    return f"sum by ({by}) (increase({metric}{{{SERVED}}}[$__rate_interval]))"


def _glance() -> list[Panel]:
    searches = "taxohash_searches_timed_total"
    return [
        number(
            "Requests",
            "Requests of clients answered each second, by all processes; probes and scrapes are not counted.",
            "reqps",
            Query(_total("taxohash_requests_total", _OF_CLIENTS)),
        ),
        number(
            "Server errors",
            "Share of requests answered 5xx, 503 of a process that has too much to do among them.",
            "percentunit",
            Query(
                f"({_total('taxohash_requests_total', f'{_OF_CLIENTS}, {_FAILED}')} or vector(0))"
                f" / {_total('taxohash_requests_total', _OF_CLIENTS)}"
            ),
            steps=[(0.001, YELLOW), (0.01, RED)],
            decimals=2,
        ),
        number(
            "Searches in time",
            "Share of the answered searches that took no longer than they should, of which the panel on durations tells the seconds.",
            "percentunit",
            Query(f"{_total(searches, _IN_TIME)} / {_total(searches)}"),
            steps=[(0.0, RED), (0.99, YELLOW), (0.999, GREEN)],
            decimals=2,
        ),
        number(
            "Search, 99 of 100",
            "So long 99 of 100 searches take at most, upload included; between the ends of buckets it is a guess.",
            "s",
            Query(_quantile(0.99, "taxohash_request_seconds", more='route="search"')),
        ),
        number(
            "Ready",
            "Processes that are ready, of those that are seen: their share.",
            "percentunit",
            Query(f"avg(taxohash_ready{{{SERVED}}})"),
            steps=[(0.0, RED), (0.5, YELLOW), (1.0, GREEN)],
        ),
        number(
            "Published, not served",
            "Processes that follow what is published and serve another generation. For the time of a swap that is as it should be.",
            "none",
            Query(f"sum(taxohash_published_not_served{{{SERVED}}})"),
            steps=[(1.0, ORANGE)],
        ),
    ]


_FAILED = 'status="5xx"'
_OF_CLIENTS = 'route!~"livez|readyz|healthz|metrics"'
_IN_TIME = 'outcome="in time"'


def _requests() -> list[Panel]:
    seconds = "taxohash_request_seconds"
    objective = f"min(taxohash_searches_objective_seconds{{{SERVED}}})"
    return [
        lines(
            "Requests by route",
            "Requests answered each second. Routes are named as in docs/api.md; `none` is what no route takes.",
            "reqps",
            Query(_rate("taxohash_requests_total", "route"), "{{route}}"),
        ),
        lines(
            "Requests by status",
            "Requests answered each second by the class of their status: 4xx are the client's, 5xx ours.",
            "reqps",
            Query(_rate("taxohash_requests_total", "status"), "{{status}}"),
            stacked=True,
        ),
        lines(
            "Requests by generation",
            "Requests answered each second by the generation that answered. At a swap one takes over from the other, within seconds in each process.",
            "reqps",
            Query(_rate("taxohash_requests_total", "generation", of=OF_GENERATION), "{{generation}}"),
            stacked=True,
        ),
        lines(
            "Share of errors by route",
            "Share of each route's requests answered 5xx.",
            "percentunit",
            Query(
                f"({_rate('taxohash_requests_total', 'route', _FAILED)} or 0 * {_rate('taxohash_requests_total', 'route')})"
                f" / {_rate('taxohash_requests_total', 'route')}",
                "{{route}}",
            ),
        ),
        lines(
            "Duration of searches",
            "So long half, 90 and 99 of 100 searches take at most, upload included: clients that are slow show here. Dashed: what a search should take from the end of its body.",
            "s",
            Query(_quantile(0.5, seconds, more='route="search"'), "50 %"),
            Query(_quantile(0.9, seconds, more='route="search"'), "90 %"),
            Query(_quantile(0.99, seconds, more='route="search"'), "99 %"),
            Query(objective, "objective", dashed=True),
        ),
        lines(
            "Duration by route, 99 of 100",
            "So long 99 of 100 requests of each route take at most.",
            "s",
            Query(_quantile(0.99, seconds, "route"), "{{route}}"),
        ),
        lines(
            "Searches in time and late",
            "Searches answered each second, by whether within the objective. The alerts on latency count these.",
            "reqps",
            Query(_rate("taxohash_searches_timed_total", "outcome"), "{{outcome}}"),
            stacked=True,
            width=24,
        ),
    ]


def _refusals() -> list[Panel]:
    return [
        lines(
            "Searches refused by reason",
            "Searches refused each second. The reasons are the problems of docs/api.md: `image` is a picture that cannot be read, `busy` too much to do.",
            "reqps",
            Query(_rate("taxohash_upload_rejected_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Requests not let in",
            "Requests that the gate refused each second, for want of a key, of a right, or of patience.",
            "reqps",
            Query(_rate("taxohash_not_let_in_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Connections ended early",
            "Connections that ended with an error before the application saw a request, by status, and those that made way for others, each second.",
            "cps",
            Query(_rate("taxohash_connections_refused_total", "status"), "refused, {{status}}"),
            Query(_rate("taxohash_connections_replaced_total", "stage"), "replaced, {{stage}}"),
        ),
    ]


def _stages() -> list[Panel]:
    stage = "taxohash_stage_seconds"
    return [
        lines(
            "Stages, on average",
            "Time of each stage of a search, stacked: where a search's time goes, but for its upload and its queue.",
            "s",
            Query(f"{_rate(f'{stage}_sum', 'stage')} / {_rate(f'{stage}_count', 'stage')}", "{{stage}}"),
            stacked=True,
        ),
        lines(
            "Stages, 99 of 100",
            "So long 99 of 100 searches take for each stage at most.",
            "s",
            Query(_quantile(0.99, stage, "stage"), "{{stage}}"),
        ),
        lines(
            "Decoding, 99 of 100",
            "From a picture's bytes to its pixels, waiting included, by how much was expected of it.",
            "s",
            Query(_quantile(0.99, "taxohash_decode_seconds", "weight"), "{{weight}}"),
        ),
    ]


def _saturation() -> list[Panel]:
    return [
        lines(
            "Searches under way",
            "Searches that are under way in the process with the most; dashed: how many may be, beyond which they are refused.",
            "none",
            Query(f"max(taxohash_searches{{{SERVED}}})", "under way"),
            Query(f"min(taxohash_searches_most{{{SERVED}}})", "most", dashed=True),
        ),
        lines(
            "Uploads",
            "Bodies that take longer to arrive, in all processes.",
            "none",
            Query(f"sum(taxohash_uploads{{{SERVED}}})", "uploads"),
        ),
        lines(
            "Bytes of uploads",
            "Of bodies that are held until their searches are answered, in each process.",
            "bytes",
            Query(f"taxohash_uploads_bytes{{{SERVED}}}", _WHICH),
        ),
        lines(
            "Connections",
            "Connections of clients by what they do, in all processes.",
            "none",
            Query(f"sum by (stage) (taxohash_connections{{{SERVED}}})", "{{stage}}"),
            stacked=True,
        ),
        lines(
            "Decoders replaced",
            "Processes for decoding that were replaced, by how the old one ended. `memory` and `time` are pictures that took too much of either.",
            "none",
            Query(_increase("taxohash_decoders_replaced_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Lines of the log left out",
            "Lines that were counted instead of written, by reason: somebody makes more of them than anybody reads.",
            "none",
            Query(_increase("taxohash_log_lines_left_out_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Memory",
            "Memory of each process that serves, its decoders not counted.",
            "bytes",
            Query(f"process_resident_memory_bytes{{{_OWN}}}", _WHICH),
        ),
        lines(
            "CPU",
            "Cores that each process uses, its decoders not counted.",
            "none",
            Query(f"rate(process_cpu_seconds_total{{{_OWN}}}[$__rate_interval])", _WHICH),
        ),
        lines(
            "Open files",
            "Share of the files and connections that a process may have open.",
            "percentunit",
            Query(f"process_open_fds{{{_OWN}}} / process_max_fds{{{_OWN}}}", _WHICH),
            bounds=[(0.8, RED)],
        ),
        rows(
            "Processes",
            "Each process that serves: since when, and what it has.",
            "none",
            PROCESS.split(", "),
            Query(f"max by ({PROCESS}) (time() - process_start_time_seconds{{{_OWN}}})", "up for"),
            Query(f"max by ({PROCESS}) (process_resident_memory_bytes{{{_OWN}}})", "memory"),
            Query(f"max by ({PROCESS}) (process_virtual_memory_bytes{{{_OWN}}})", "addresses"),
            Query(f"max by ({PROCESS}) (process_open_fds{{{_OWN}}})", "open files"),
            Query(f"sum by ({PROCESS}) (taxohash_codes_loaded{{{SERVED}}})", "codes"),
            width=24,
            height=5,
            units={"up for": "s", "memory": "bytes", "addresses": "bytes", "codes": "short"},
        ),
    ]


def _served() -> list[Panel]:
    return [
        lines(
            "Processes by generation",
            "How many processes serve each generation. More than one generation for longer than a swap takes needs a look.",
            "none",
            Query(
                f"sum by (generation) (taxohash_generation_served{{{OF_GENERATION}}} == 1)", "{{generation}}"
            ),
            stacked=True,
        ),
        lines(
            "Codes loaded",
            "Codes that a process searches, by generation; during a swap it holds both.",
            "short",
            Query(f"max by (generation) (taxohash_codes_loaded{{{OF_GENERATION}}})", "{{generation}}"),
        ),
        lines(
            "Swaps",
            "Changes of the generation that is served, by how they ended, the first one of each process included.",
            "none",
            Query(_increase("taxohash_swaps_total", "outcome"), "{{outcome}}"),
        ),
        states(
            "What is the matter",
            "Processes of which something holds that somebody should know: gray is fine, pinned is a choice, the others pass or need a look.",
            Query(f"max(1 - taxohash_ready{{{SERVED}}})", "not ready"),
            Query(f"max(taxohash_published_not_served{{{SERVED}}})", "published, not served"),
            Query(f"max(taxohash_swap_failing{{{SERVED}}})", "swap failing"),
            Query(f"max(taxohash_pinned{{{SERVED}}})", "pinned"),
            Query(f"max(taxohash_api_keys_file_failing{{{SERVED}}})", "keys unreadable"),
            words={0.0: ("no", GRAY), 1.0: ("yes", ORANGE)},
            width=16,
        ),
        bars(
            "Last swap",
            "Seconds that each process's last change of the generation took, from when it was known.",
            "s",
            Query(f"taxohash_swap_seconds{{{SERVED}}}", _WHICH),
        ),
        lines(
            "Lag",
            "For how long a write that is known is unread, in the process where it is longest.",
            "s",
            Query(f"max(taxohash_replica_lag_seconds{{{SERVED}}})", "lag"),
        ),
        lines(
            "Age",
            "Since a process last had all that the code store has: it grows while the store cannot be reached.",
            "s",
            Query(f"max(taxohash_replica_age_seconds{{{SERVED}}})", "age"),
        ),
        number(
            "Keys expire in",
            "Until the next API key expires; what it is of is told by `taxohash keys`.",
            "s",
            Query(f"min(taxohash_api_keys_expire_timestamp_seconds{{{SERVED}}} < +Inf) - time()"),
            width=8,
            height=8,
            steps=[(0.0, RED), (7 * DAY, YELLOW), (30 * DAY, BLUE)],
            empty="never",
        ),
    ]
