"""Dashboard Pipelines: what runs came to and how long they took, what waits for somebody, and how old what is served is."""

from grafana_foundation_sdk.models.dashboard import Dashboard as Made

from services.dashboards.parts import (
    BLUE,
    DAY,
    GRAY,
    GREEN,
    ORANGE,
    PLACE,
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

_PIPELINE = "{{pipeline}}"
_OWN = 'job="taxohash-trigger", namespace=~"$namespace"'


def dashboard() -> Made:
    """The whole of it."""
    return frame(
        Dashboard.PIPELINES,
        "Runs by verdict and duration, what the last one measured, the age of the data, what waits for approval, and the backfill.",
        ("At a glance", _glance()),
        ("Runs", _runs()),
        ("The last run", _last()),
        ("Data versions and backfill", _data()),
        ("The trigger", _trigger()),
        of="taxohash_trigger_approvals_waiting",
        generations=False,
    )


def _since(metric: str) -> str:
    return f"time() - max by ({PLACE}) ({metric}{{{SERVED}}})"


def _glance() -> list[Panel]:
    published = f'taxohash_run_ended_timestamp_seconds{{{SERVED}, verdict="published"}}'
    failed = f'taxohash_trigger_runs_total{{{SERVED}, verdict=~"failed|interrupted"}}'
    return [
        number(
            "Approvals waiting",
            "Runs, and generations that runs made, that wait for somebody: `taxohash pipeline approve`, or the trigger's page.",
            "none",
            Query(f"sum(taxohash_trigger_approvals_waiting{{{SERVED}}})"),
            steps=[(1.0, BLUE)],
        ),
        number(
            "Last publish",
            "Since the last run ended that published a generation.",
            "s",
            Query(f"time() - max({published})"),
            empty="none yet",
        ),
        number(
            "Runs that failed",
            "Runs that failed or were interrupted, in the time that is shown. A refused challenger is no failure.",
            "none",
            Query(f"sum(increase({failed}[$__range]))"),
            steps=[(1.0, RED)],
            decimals=0,
        ),
        number(
            "Served data are from",
            "Since the data version was first seen that is served.",
            "s",
            Query(_since("taxohash_trigger_served_data_timestamp_seconds")),
            steps=[(30 * DAY, YELLOW), (90 * DAY, RED)],
            empty="unknown",
        ),
        number(
            "Newest data are from",
            "Since the newest data version was first seen.",
            "s",
            Query(_since("taxohash_trigger_data_timestamp_seconds")),
            empty="none seen",
        ),
        number(
            "Data can be read",
            "Whether the repository of the data versions can be read; else no new data start a run.",
            "none",
            Query(f"max(taxohash_trigger_watch_failing{{{SERVED}}})"),
            words={0.0: ("yes", GREEN), 1.0: ("no", RED)},
            empty="not watched",
        ),
    ]


def _runs() -> list[Panel]:
    ended = f"taxohash_trigger_runs_total{{{SERVED}}}"
    seconds = f"rate(taxohash_trigger_run_seconds_bucket{{{SERVED}}}[$__range])"
    return [
        bars(
            "Runs by verdict",
            "Runs that ended in the time that is shown, by pipeline and what came of them.",
            "none",
            Query(
                f"sort_desc(round(sum by (pipeline, verdict) (increase({ended}[$__range]))) > 0)",
                "{{pipeline}}: {{verdict}}",
            ),
        ),
        states(
            "Under way",
            "When a run of each pipeline was under way; one at a time.",
            Query(f"max by (pipeline) (taxohash_trigger_running{{{SERVED}}})", _PIPELINE),
            words={0.0: ("idle", GRAY), 1.0: ("running", GREEN)},
            width=8,
        ),
        states(
            "Pending",
            "What a pending run waits for: its turn, the cool-down, data, or somebody's approval.",
            Query(
                f"max by (pipeline, standing) (taxohash_trigger_pending{{{SERVED}}}) > 0",
                "{{pipeline}}: {{standing}}",
            ),
            words={1.0: ("waits", ORANGE)},
            width=8,
        ),
        lines(
            "Runs ended",
            "Runs that ended until now, by pipeline and verdict, as the trigger that runs has counted.",
            "none",
            Query(f"sum by (pipeline, verdict) ({ended}) > 0", "{{pipeline}}: {{verdict}}"),
        ),
        bars(
            "Duration of runs",
            "So long nine in ten of the runs that ended in the time that is shown took at most, between the ends of buckets a guess.",
            "s",
            Query(
                f"histogram_quantile(0.9, sum by (le, pipeline, verdict) ({seconds})) > 0",
                "{{pipeline}}: {{verdict}}",
            ),
        ),
        rows(
            "When each verdict last came",
            "Since the last run of each pipeline ended with each verdict.",
            "s",
            ["collection", "pipeline", "verdict"],
            Query(
                f"sort(time() - max by (collection, pipeline, verdict) (taxohash_run_ended_timestamp_seconds{{{SERVED}}}))",
                "ago",
            ),
            width=8,
        ),
    ]


def _last() -> list[Panel]:
    metric = 'max by (pipeline, metric) (taxohash_run_metric{{{of}, part="{part}"}})'
    parts = ("value", "bound", "low", "high")
    return [
        bars(
            "Seconds of its steps",
            "Of each step of a pipeline's last run; 0 where the step was cached.",
            "s",
            Query(
                f"max by (pipeline, step) (taxohash_run_step_seconds{{{SERVED}}})", "{{pipeline}}: {{step}}"
            ),
            width=8,
            height=10,
        ),
        rows(
            "What it measured",
            "Each metric of a pipeline's last run, the bound that it had to reach, and the ends of the interval of its difference from the champion.",
            "none",
            ["pipeline", "metric"],
            *(Query(metric.format(of=SERVED, part=part), part) for part in parts),
            width=10,
            height=10,
        ),
        bars(
            "Its duration",
            "That the last run of each pipeline took.",
            "s",
            Query(f"max by (pipeline) (taxohash_run_seconds{{{SERVED}}})", _PIPELINE),
            width=6,
            height=10,
        ),
    ]


def _data() -> list[Panel]:
    return [
        lines(
            "Age of the data",
            "Since the newest data version was first seen, and since the one was that is served. Where the second grows past the first, new data wait.",
            "s",
            Query(_since("taxohash_trigger_data_timestamp_seconds"), "newest, {{collection}}"),
            Query(_since("taxohash_trigger_served_data_timestamp_seconds"), "served, {{collection}}"),
        ),
        lines(
            "Approvals waiting",
            "Runs and generations that wait for somebody's approval.",
            "none",
            Query(f"sum by (collection) (taxohash_trigger_approvals_waiting{{{SERVED}}})", "{{collection}}"),
        ),
        lines(
            "Backfill",
            "Items that lack a code in a generation that is being filled, and in what is published: dashboard Store has more.",
            "short",
            Query(f"max by ({PLACE}) (taxohash_store_backfill_items{{{SERVED}}})", "being filled"),
            Query(f"max by ({PLACE}) (taxohash_store_items_lacking_codes{{{SERVED}}})", "published"),
        ),
    ]


def _trigger() -> list[Panel]:
    return [
        lines(
            "Reasons for runs",
            "Reasons that the trigger was told, repeated ones too, as the trigger that runs has counted: an alert that fires says so again and again.",
            "none",
            Query(f"sum by (kind) (taxohash_trigger_reasons_total{{{_ANYWHERE}}})", "{{kind}}"),
        ),
        lines(
            "Requests to the trigger",
            "Requests that it answered each second, by route and status.",
            "reqps",
            Query(
                f"sum by (route, status) (rate(taxohash_trigger_requests_total{{{_ANYWHERE}}}[$__rate_interval]))",
                "{{route}} {{status}}",
            ),
        ),
        lines(
            "Memory of the trigger",
            "Of its own process: runs are processes or pods of their own.",
            "bytes",
            Query(f"process_resident_memory_bytes{{{_OWN}}}", "{{pod}} {{instance}}"),
        ),
    ]


_ANYWHERE = 'namespace=~"$namespace"'
