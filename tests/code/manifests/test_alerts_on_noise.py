"""A day on which nothing is wrong, with all that an ordinary day has: no alert fires. And one on which other things are asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from tests.support.alerting import ALERTS, RULES, promtool
from tests.support.monitoring import needs_prometheus

STEP = 2  # minutes between scrapes
SAMPLES = 24 * 60 // STEP + 1
INSTANCES = ("1", "2")
REFERENCE = 2000
BANDS, NODES, BITS = np.full(8, 1 / 8), np.array([0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02]), np.full(16, 0.45)
UNLIKE, FAR = 0.04, 0.1
DRIFT = (
    *("TaxohashSearchesFarFromEverything", "TaxohashSearchesUnlikeAnything", "TaxohashDistancesDrifted"),
    *("TaxohashTopNodesDrifted", "TaxohashBitsDrifted"),
)
Numbers = npt.NDArray[np.int64]


class Day:
    """Series of a day, a sample every two minutes.

    Attributes:
        series: values by name and labels.
    """

    def __init__(self, seed: int) -> None:
        self.series: dict[str, str] = {}
        self._random = np.random.default_rng(seed)

    def counts(self, name: str, rises: Numbers, instance: str = "1", **labels: str) -> None:
        """A counter that rises by so much from sample to sample."""
        self._add(name, np.cumsum(rises).tolist(), instance=instance, **labels)

    def shows(
        self,
        name: str,
        usual: float,
        odd: Mapping[int, float] | None = None,
        instance: str = "1",
        **labels: str,
    ) -> None:
        """A gauge, which is otherwise at some minutes."""
        values = [usual] * SAMPLES
        for minute, value in (odd or {}).items():
            values[minute // STEP] = value
        self._add(name, values, instance=instance, **labels)

    def varies(self, name: str, low: float, high: float, instance: str = "1", **labels: str) -> None:
        """A gauge that is anything between."""
        self._add(
            name, self._random.uniform(low, high, SAMPLES).round(3).tolist(), instance=instance, **labels
        )

    def ages(self, name: str, every: int, instance: str = "1", **labels: str) -> None:
        """A time that is set anew every so many minutes."""
        now = np.arange(SAMPLES) * STEP
        self._add(name, (now // every * every * 60).tolist(), instance=instance, **labels)

    def asked(self, mean: float) -> Numbers:
        """Of a kind, many in the afternoon and few at night."""
        of_day = 1 + 0.6 * np.sin(np.linspace(-np.pi, np.pi, SAMPLES))
        found: Numbers = self._random.poisson(mean * STEP * of_day)
        return found

    def parts(self, queries: Numbers, shares: npt.NDArray[np.float64]) -> Numbers:
        """int64[SAMPLES, C]: which of the queries are what."""
        found: Numbers = self._random.multinomial(queries, shares)
        return found

    def reference(self, name: str, shares: npt.NDArray[np.float64], label: str) -> None:
        """Of a sample of queries."""
        drawn = self._random.multinomial(REFERENCE, shares) / REFERENCE
        for cell, share in enumerate(drawn.tolist()):
            self.shows(name, share, None, "1", **{"generation": "a", label: str(cell)})

    def _add(self, name: str, values: list[Any], **labels: str) -> None:
        text = ", ".join(f'{label}="{value}"' for label, value in (labels | {"collection": "shop"}).items())
        self.series[f"{name}{{{text}}}"] = " ".join(map(str, values))


def service(day: Day) -> None:
    """Requests, restarts, a swap, and keys."""
    for instance in INSTANCES:
        requests = day.asked(300)
        for status, share in (("2xx", 0.97), ("4xx", 0.0299), ("5xx", 0.0001)):
            day.counts("taxohash_requests_total", day.parts(requests, np.array([share, 1 - share]))[:, 0], instance, route="search", status=status, generation="a")  # fmt: skip
        late = day.parts(requests, np.array([0.997, 0.003]))
        for number, outcome in enumerate(("in time", "late")):
            day.counts("taxohash_searches_timed_total", late[:, number], instance, outcome=outcome)
        restart = {600: 0.0, 602: 0.0} if instance == "1" else {}
        day.shows("up", 1, restart, instance, job="taxohash")
        day.shows("taxohash_ready", 1, restart | ({604: 0.0} if restart else {}), instance)
        day.shows("taxohash_published_not_served", 0, {840: 1, 842: 1}, instance)
        day.shows("taxohash_swap_failing", 0, {840: 1}, instance)
        day.shows("taxohash_replica_lag_seconds", 0, {300: 45, 840: 20}, instance)
        day.varies("taxohash_replica_age_seconds", 0, 3, instance)
        day.counts("taxohash_decoders_replaced_total", day.asked(0.05), instance, reason="killed")
        day.shows("taxohash_api_keys_file_failing", 0, {700: 1}, instance)
        day.shows("taxohash_api_keys_expire_timestamp_seconds", 30 * 86_400, instance=instance)
        day.shows("taxohash_certificate_expires_timestamp_seconds", 60 * 86_400, instance=instance)


def health(day: Day, other: bool) -> None:
    """What is asked, beside its reference; `other` things than that from the middle of the day on."""
    queries = day.asked(14)
    now = np.arange(SAMPLES) * STEP >= 12 * 60 if other else np.zeros(SAMPLES, np.bool_)
    for name, label, usual, changed in (
        ("taxohash_nearest_band", "band", BANDS, np.array([0.05] * 4 + [0.2] * 4)),
        ("taxohash_top_node", "node", NODES, NODES[::-1]),
    ):
        seen = np.where(now[:, None], day.parts(queries, changed), day.parts(queries, usual))
        for cell in range(len(usual)):
            day.counts(f"{name}_total", seen[:, cell], generation="a", **{label: str(cell)})
        day.reference(f"{name}_reference", usual, label)
    for bit, share in enumerate(BITS.tolist()):
        of_bit = [day.parts(queries, np.array([p, 1 - p]))[:, 0] for p in (share, share + 0.2)]
        day.counts(
            "taxohash_bit_set_total", np.where(now, of_bit[1], of_bit[0]), generation="a", bit=str(bit)
        )
        day.shows("taxohash_bit_set_reference", share + 0.01 * (-1) ** bit, generation="a", bit=str(bit))
    for name, usual_share, more in (("taxohash_unlike_total", UNLIKE, 0.2), ("far", FAR, 0.3)):
        as_usual, otherwise = (
            day.parts(queries, np.array([1 - p, p])) for p in (usual_share, usual_share + more)
        )
        found = np.where(now[:, None], otherwise, as_usual)
        if name == "far":
            for number, nearness in enumerate(("near", "far")):
                day.counts(
                    "taxohash_searches_answered_total", found[:, number], generation="a", nearness=nearness
                )
        else:
            day.counts(name, found[:, 1], generation="a")
    day.counts("taxohash_queries_total", queries, generation="a")
    day.shows("taxohash_queries_reference", REFERENCE, generation="a")
    day.shows("taxohash_unlike_reference", UNLIKE, generation="a")
    for instance in INSTANCES:
        day.shows("taxohash_canaries", 300, instance=instance, generation="a")
        day.ages("taxohash_canaries_asked_timestamp_seconds", 2, instance, generation="a")
        day.varies("taxohash_canary_recall", 0.87, 0.91, instance, generation="a", level="class")
        day.shows("taxohash_canary_recall_reference", 0.89, instance=instance, generation="a", level="class")


def store(day: Day) -> None:
    """A store that is at times slow, and items that come."""
    for instance in INSTANCES:
        day.shows("taxohash_store_reachable", 1, {300: 0, 302: 0}, instance)
        day.ages("taxohash_store_looked_timestamp_seconds", 4, instance)
        day.varies("taxohash_store_memory_bytes", 5e8, 7e8, instance)
        day.shows("taxohash_store_memory_most_bytes", 1e9, instance=instance)
        day.shows("taxohash_store_persists", 1, {500: 0}, instance)
        day.shows("taxohash_store_backfill_items", 0, instance=instance)
        day.shows(
            "taxohash_store_items_lacking_codes",
            0,
            {minute: minute % 7 for minute in range(0, 24 * 60, STEP)},
            instance,
        )


def trigger(day: Day) -> None:
    """A night's check, a data version, and a run that breaks once and is published then."""
    run = range(720, 900, STEP)
    day.shows("up", 1, {100: 0}, job="taxohash-trigger")
    for pipeline in ("retrain", "reindex", "drift"):
        day.shows(
            "taxohash_trigger_running",
            0,
            dict.fromkeys(run if pipeline == "retrain" else (), 1.0),
            pipeline=pipeline,
        )
    day.shows("taxohash_run_ended_timestamp_seconds", 180 * 60, pipeline="drift", verdict="steady")
    day.shows("taxohash_run_ended_timestamp_seconds", 60, pipeline="drift", verdict="drifted")
    after = range(900, 24 * 60 + STEP, STEP)
    day.shows("taxohash_run_ended_timestamp_seconds", 0, dict.fromkeys(range(730, 24 * 60 + STEP, STEP), 730 * 60.0), pipeline="retrain", verdict="failed")  # fmt: skip
    day.shows("taxohash_run_ended_timestamp_seconds", 0, dict.fromkeys(range(740, 24 * 60 + STEP, STEP), 740 * 60.0), pipeline="retrain", verdict="published")  # fmt: skip
    day.shows("taxohash_trigger_approvals_waiting", 0, dict.fromkeys(range(200, 600, STEP), 1.0))
    day.shows(
        "taxohash_trigger_data_timestamp_seconds",
        0,
        dict.fromkeys(range(710, 24 * 60 + STEP, STEP), 710 * 60.0),
    )
    day.shows("taxohash_trigger_served_data_timestamp_seconds", 0, dict.fromkeys(after, 710 * 60.0))
    day.shows("taxohash_trigger_watch_failing", 0, {400: 1, 402: 1})


def fired(day: Day, wanted: tuple[str, ...]) -> dict[str, Any]:
    """A test of promtool's that these and no others fire on that day."""
    return {
        "interval": f"{STEP}m",
        "input_series": [{"series": name, "values": values} for name, values in day.series.items()],
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1d]))',
                "eval_time": "24h",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in wanted],
            }
        ],
    }


@needs_prometheus
@pytest.mark.slow
@pytest.mark.parametrize(("other", "wanted"), [(False, ()), (True, DRIFT)], ids=["noise", "drift"])
def test_only_what_is_wrong_is_told(tmp_path: Path, other: bool, wanted: tuple[str, ...]) -> None:
    day = Day(seed=1)
    service(day)
    health(day, other)
    store(day)
    trigger(day)
    file = tmp_path / "test.yaml"
    order = [group["name"] for rules in RULES for group in yaml.safe_load(rules.read_text())["groups"]]
    file.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(rules) for rules in (*RULES, *ALERTS)],
                "evaluation_interval": f"{STEP}m",
                "group_eval_order": order,
                "tests": [fired(day, wanted)],
            }
        )
    )
    promtool("test", "rules", file)
