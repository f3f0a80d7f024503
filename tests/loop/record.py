"""All that is known of the loop afterwards, as JSON holds it: events, searches, runs, and what Prometheus saw."""

from collections.abc import Iterable, Sequence
from typing import Any

from taxohash.runtime.provenance import revision
from tests.loop.alerts import ALERT, bound
from tests.loop.answers import each_second
from tests.loop.load import Sample
from tests.loop.timeline import Timeline
from tests.loop.world import Runner, Watch
from tests.support.monitoring import ranged

Points = list[tuple[float, float]]  # seconds since the beginning, and values
_FAR = (
    'sum(rate(taxohash_searches_answered_total{{nearness="far"}}[{window}]))'
    " / sum(rate(taxohash_searches_answered_total[{window}]))"
)
_WINDOW = "10m"  # of the shipped rule


def seen(watch: Watch, timeline: Timeline, begin: float) -> dict[str, Any]:
    """What Prometheus saw from a moment of the timeline until now: alerts, and series."""
    end = timeline.now

    def series(expression: str, *labels: str) -> dict[str, Points]:
        found = ranged(
            watch.prometheus,
            expression,
            timeline.begun_at + begin,
            timeline.begun_at + end,
            watch.pace.interval,
        )
        return {
            " ".join(one["metric"].get(label, "") for label in labels): [
                (round(at - timeline.begun_at, 1), float(value)) for at, value in one["values"]
            ]
            for one in found
        }

    window = watch.pace.hastened(_WINDOW)
    alerts = [
        {"name": name, "state": state, "begin": first, "end": last}
        for state in ("pending", "firing")
        for name, points in series(
            f'max by (alertname) (ALERTS{{alertstate="{state}"}})', "alertname"
        ).items()
        for first, last in episodes([at for at, _ in points], watch.pace.interval)
    ]
    return {
        "alerts": sorted(alerts, key=lambda one: one["begin"]),
        "far": series(_FAR.format(window=window)).get("", []),
        "canary_recall": series("taxohash_canary_recall", "generation", "level"),
        "runs_total": series(
            "sum by (pipeline, verdict) (taxohash_trigger_runs_total) > 0", "pipeline", "verdict"
        ),
        "published_not_served": series("max(taxohash_published_not_served)").get("", []),
        "store_bytes": series("max(redis_memory_used_bytes)").get("", []),
        "up": series("min by (job) (up)", "job"),
    }


def whole(
    timeline: Timeline,
    runner: Runner,
    samples: Sequence[Sample],
    found: dict[str, Any],
    told: dict[str, Any],
) -> dict[str, Any]:
    """All of it.

    Args:
        found: what came of the searches.
        told: what was told while they went on, see `seen`.
    """
    first = min(sample.due for sample in samples)
    return {
        "commit": revision()["commit"],
        "pace": runner.pace.factor,
        "noise": runner.noise,
        "bound": bound(ALERT),
        "found": found,
        "events": [event._asdict() | {"at": round(event.at, 1)} for event in timeline.events],
        "searches": {"begin": round(first - timeline.begun, 1), **each_second(samples, first)},
        "served": served(samples, timeline.begun),
        **told,
        "history": [
            {
                "pipeline": run["pipeline"],
                "reasons": sorted({reason["kind"] for reason in run["reasons"]}),
                "begin": round(run["began"] - timeline.begun_at, 1),
                "end": round(run["ended"] - timeline.begun_at, 1),
                **{
                    name: run["outcome"][name]
                    for name in ("verdict", "reason", "generation", "would_change", "compared")
                },
            }
            for run in told["history"]
        ],
    }


def served(samples: Sequence[Sample], begun: float) -> dict[str, float]:
    """When each generation first answered, in seconds since `begun`."""
    found: dict[str, float] = {}
    for sample in samples:
        if generation := sample.generation:
            at = round(sample.due + sample.seconds - begun, 1)
            found[generation] = min(at, found.get(generation, at))
    return found


def episodes(times: Iterable[float], interval: float) -> list[tuple[float, float]]:
    """Beginnings and ends of what was so at some times, which are looked at at an interval."""
    found: list[tuple[float, float]] = []
    for at in sorted(times):
        if found and at - found[-1][1] < 1.5 * interval:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def unexpected(
    alerts: Sequence[dict[str, Any]], expected: dict[str, list[tuple[float, float]]]
) -> list[dict[str, Any]]:
    """Alerts that fire outside of the times at which they may."""
    return [
        alert
        for alert in alerts
        if alert["state"] == "firing"
        and not any(
            begin <= alert["begin"] and alert["end"] <= end for begin, end in expected.get(alert["name"], ())
        )
    ]
