"""Rules and alerts: by the real promtool, against the metrics that services export, and against what their bounds were measured at."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import read_rows
from benchmarks.methods import alerts as benchmark
from services.metrics import CATALOGUE, PIPELINE, Dashboard, Metric
from services.retrieval.recent.findings import canary_error
from taxohash.drift.statistics import bit_psi, psi
from tests.dashboards.boards import boards, expressions
from tests.support.alerting import ALERTS, FOLDER, RULES, TESTS, Rule, alerts, promtool, read, rules_of
from tests.support.monitoring import needs_prometheus

RECORDED = r"\w+:\w+:\w+"
EXPRESSIONS = [rule["expr"] for rule in rules_of(*RULES, *ALERTS)]
# What others export, and what is asked of it: CronJobs of manifests/components/backup, by kube-state-metrics.
_CRONJOBS = {"cronjob": {"backup", "backup-rehearsal"}}
OTHERS = {"kube_cronjob_status_last_successful_time": _CRONJOBS, "kube_cronjob_created": _CRONJOBS}
SAMPLES = {sample: metric for metric in CATALOGUE.values() for sample in metric.samples}


# -- as Prometheus takes them ----------------------------------------------------------------------------


@needs_prometheus
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *RULES, *ALERTS)


@needs_prometheus
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_rules_fire_when_they_should(file: Path) -> None:
    promtool("test", "rules", file)


def expectations(alert: str) -> list[list[dict[str, Any]]]:
    """What is expected of an alert, in each test, in the order of time."""
    found = []
    for file in TESTS:
        for test in read(file)["tests"]:
            own = [expected for expected in test["alert_rule_test"] if expected["alertname"] == alert]
            found.append(sorted(own, key=lambda expected: int(expected["eval_time"].removesuffix("m"))))
    return found


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_seen_to_hold_still_to_fire_and_to_resolve(alert: str) -> None:
    stories = ["".join("!" if own.get("exp_alerts") else "." for own in test) for test in expectations(alert)]
    # An alert of what is gone begins with it being gone, in another test.
    assert any(re.search(r"\.!", story) for story in stories), stories
    assert any(re.search(r"!\.", story) for story in stories), stories
    fired = {
        tuple(sorted((name, labels[name]) for name in ("severity", "window") if name in labels))
        for test in expectations(alert)
        for own in test
        for labels in (firing["exp_labels"] for firing in own.get("exp_alerts", ()))
    }
    assert fired == {
        tuple(
            sorted((name, rule["labels"][name]) for name in ("severity", "window") if name in rule["labels"])
        )
        for rule in alerts()[alert]
    }


def test_an_alert_asks_for_a_run_by_its_rule_alone() -> None:
    """A label `pipeline` that it had from a metric would start a run for every run that breaks."""
    for alert, rules in alerts().items():
        labels = [
            firing["exp_labels"]
            for test in expectations(alert)
            for own in test
            for firing in own.get("exp_alerts", ())
        ]
        assert {label.get("pipeline") for label in labels} == {
            rule["labels"].get("pipeline") for rule in rules
        }


# -- of what they are -------------------------------------------------------------------------------------


def test_rules_are_of_metrics_that_are_exported() -> None:
    recorded = {rule["record"] for rule in rules_of(*RULES)}
    for expression in EXPRESSIONS:
        assert set(re.findall(RECORDED, expression)) <= recorded, expression
        assert set(re.findall(r"\btaxohash_\w+", re.sub(RECORDED, "", expression))) <= SAMPLES.keys(), (
            expression
        )


def test_what_is_selected_is_what_there_can_be() -> None:
    selected = [
        (name, *found)
        for expression in EXPRESSIONS
        for name, inside in re.findall(r"([\w:]+)\{([^}]*)\}", expression)
        for found in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', inside)
    ]
    assert selected
    for name, label, operator, wanted in selected:
        if name == "up":
            assert label == "job", name
            continue
        if name in OTHERS:
            assert wanted in OTHERS[name][label], name
            continue
        metric: Metric = SAMPLES[re.sub(r"^\w+:|:\w+$", "", name)]
        known = {own.name: own.values for own in metric.labels}
        known["kind"] = known.get("pipeline", ())  # see rules/pipelines.yaml
        assert label in known, (name, label)
        values = wanted.split("|") if "~" in operator else [wanted]
        assert not known[label] or set(values) <= set(known[label]), (name, label, wanted)


def test_histograms_may_become_native_ones() -> None:
    """Which have neither `le` nor series of their sum and count."""
    histograms = "|".join(metric.name for metric in CATALOGUE.values() if metric.kind == "histogram")
    for expression in EXPRESSIONS:
        assert not re.search(rf"\ble\s*[=!]|({histograms})_(sum|count)\b", expression), expression


def test_counters_are_looked_at_by_their_increase() -> None:
    for expression in EXPRESSIONS:
        text = re.sub(RECORDED, "", expression)
        for found in re.finditer(r"\btaxohash_\w+_total\b", text):
            assert text[: found.start()].endswith(("rate(", "increase(")), expression


def test_a_recorded_series_is_named_level_metric_operation_and_is_once() -> None:
    names = [rule["record"] for rule in rules_of(*RULES)]
    assert all(
        re.fullmatch(r"(collection|generation|generation_\w+|kind):taxohash_\w+:\w+", name) for name in names
    )
    assert {name: count for name, count in Counter(names).items() if count > 1} == {}


def test_what_is_recorded_is_of_use() -> None:
    pages = "".join(file.read_text() for file in FOLDER.rglob("*") if file.suffix in (".md", ".json"))
    used = " ".join([pages, *EXPRESSIONS])
    for name in (rule["record"] for rule in rules_of(*RULES)):
        assert re.search(rf"(?<![\w:]){name}(?![\w:])", used), name


def test_groups_have_names_of_their_own() -> None:
    names = [group["name"] for file in (*RULES, *ALERTS) for group in read(file)["groups"]]
    assert len(names) == len(set(names))


# -- what they say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [*rules_of(*ALERTS)], ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(rule: Rule) -> None:
    labels, told = rule["labels"], rule["annotations"]
    assert rule["alert"].startswith("Taxohash")
    assert re.fullmatch(r"\d+[mhd]", rule["for"])
    assert labels["severity"] in ("page", "ticket")
    assert labels["service"] in ("retrieval", "trigger", "kubernetes")
    assert labels.get("pipeline", "drift") in PIPELINE.values
    assert labels.keys() <= {"severity", "service", "pipeline", "window"}
    assert told.keys() - {"false_alarms"} == {"summary", "description", "runbook_url"}
    assert not told["summary"].endswith(".")
    assert told["description"].endswith(".")
    assert (
        told["runbook_url"]
        == f'{{{{ or $externalLabels.taxohash_runbook "manifests/monitoring/runbook.md" }}}}#{rule["alert"].lower()}'
    )
    with_a_label = {"TaxohashAbsent", "TaxohashTriggerAbsent"}
    place = "namespace" if labels["service"] == "kubernetes" else "collection"
    assert rule["alert"] in with_a_label or f"$labels.{place}" in told["summary"]


@needs_prometheus
def test_an_installation_says_once_where_its_runbook_is(tmp_path: Path) -> None:
    alert = FOLDER / "alerts" / "serving.yaml"
    told = dict(alerts()["TaxohashNotReady"][0]["annotations"])
    told["summary"] = told["summary"].replace("{{ $labels.collection }}", "shop")
    told["runbook_url"] = "https://wiki.example/taxohash#taxohashnotready"
    expected = {"severity": "page", "service": "retrieval", "collection": "shop"}
    file = tmp_path / "test.yaml"
    test = {
        "interval": "1m",
        "input_series": [{"series": 'taxohash_ready{collection="shop"}', "values": "0x10"}],
        "external_labels": {"taxohash_runbook": "https://wiki.example/taxohash"},
        "alert_rule_test": [
            {
                "eval_time": "8m",
                "alertname": "TaxohashNotReady",
                "exp_alerts": [{"exp_labels": expected, "exp_annotations": told}],
            }
        ],
    }
    file.write_text(yaml.safe_dump({"rule_files": [str(alert)], "tests": [test]}))
    promtool("test", "rules", file)


# -- bounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", benchmark.RULES)
def test_alerts_of_drift_ask_for_what_was_measured_and_state_it(alert: str) -> None:
    (rule,), measured = alerts()[alert], benchmark.RULES[alert]
    bound, least = re.search(r"> ([\d.]+)", rule["expr"]), re.search(r">= (\d+)", rule["expr"])
    assert bound, rule
    assert least, rule
    assert (float(bound[1]), int(least[1])) == (measured.bound, measured.least)
    assert rule["for"] == f"{measured.wait}m"
    assert f"[{measured.window}m]" in rule["expr"] or (measured.window == 60 and "1h" in rule["expr"])
    (row,) = (row for row in read_rows(RESULTS / "alerts.json") if row["method"] == alert)
    assert (row["bound"], row["size"], row["window"], row["wait"]) == (
        measured.bound,
        measured.least,
        measured.window,
        measured.wait,
    )
    assert rule["annotations"]["false_alarms"] == benchmark.stated(row)


def test_each_alert_of_drift_states_how_often_it_is_false() -> None:
    for file in ALERTS:
        for rule in rules_of(file):
            states = file.stem == "drift" or rule["alert"] == "TaxohashCanaryRecallLower"
            assert ("false_alarms" in rule["annotations"]) == states, rule["alert"]


@needs_prometheus
def test_what_is_recorded_and_shown_is_as_the_code_has_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    queries, reference = 300, 1000
    bands, of_bands = (
        random.multinomial(queries, np.full(5, 0.2)),
        random.multinomial(reference, np.full(5, 0.2)),
    )
    bands[0], bands[1] = 0, bands[0] + bands[1]  # a band that nobody asked for
    bits, of_bits = random.binomial(queries, 0.3, 4), random.binomial(reference, 0.4, 4)
    series = _counted("taxohash_queries", {"": queries}, "")
    series |= {'taxohash_queries_reference{generation="a", collection="shop"}': f"{reference}x60"}
    for name, label, now, then in (
        ("taxohash_nearest_band", "band", bands, of_bands),
        ("taxohash_top_node", "node", bands, of_bands),
        ("taxohash_bit_set", "bit", bits, of_bits),
    ):
        series |= _counted(name, dict(enumerate(now.tolist())), label)
        for cell, count in enumerate(then.tolist()):
            series[f'{name}_reference{{{label}="{cell}", generation="a", collection="shop"}}'] = (
                f"{count / reference}x60"
            )
    of_cells = psi(of_bands / reference, bands / queries, reference, queries)
    of_set = bit_psi(of_bits / reference, bits / queries, reference, queries).mean()
    wanted = {
        "generation:taxohash_nearest_band:psi1h": of_cells,
        "generation:taxohash_top_node:psi1h": of_cells,
        "generation:taxohash_bit_set:psi1h": of_set,
    }
    (quality,) = (board for board in boards() if board["title"] == Dashboard.QUALITY)
    shown: dict[str, str] = {}
    for asked in expressions(quality):
        shown.setdefault(asked.where, asked.expr)  # drift comes before what else is of distances
    for title, value in (("Distances", of_cells), ("First nodes", of_cells), ("Bits", of_set)):
        wanted[f"({shown[f'{Dashboard.QUALITY} / {title} / A']})"] = value
    recall, canaries = 0.9, 40
    series |= {
        'taxohash_canaries{generation="a", collection="shop"}': f"{canaries}x60",
        'taxohash_canary_recall_reference{generation="a", collection="shop", level="kind"}': f"{recall}x60",
    }
    wanted["sum without (level) (generation_level:taxohash_canary_recall:error)"] = canary_error(
        recall, canaries
    )
    checks = [
        {
            "expr": f"abs({name} - {value}) < bool 1e-9",
            "eval_time": "60m",
            "exp_samples": [{"labels": '{generation="a", collection="shop"}', "value": 1}],
        }
        for name, value in wanted.items()
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": checks,
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(FOLDER / "rules" / "health.yaml")], "tests": [test]}))
    promtool("test", "rules", file)


def _counted(name: str, counts: dict[Any, int], label: str) -> dict[str, str]:
    """Counters that rise by so much within an hour, in steps that a rate makes no fractions of."""
    more = {cell: f'{label}="{cell}", ' if label else "" for cell in counts}
    return {
        f'{name}_total{{{more[cell]}generation="a", collection="shop"}}': f"0+{count / 60!r}x60"
        for cell, count in counts.items()
    }
