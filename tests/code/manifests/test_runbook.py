"""The runbook: an entry for each alert and an alert for each entry, whose queries Prometheus understands."""

import re
from pathlib import Path

import pytest
import yaml

from services.metrics import CATALOGUE
from tests.support.alerting import FOLDER, RULES, alerts, promtool, rules_of
from tests.support.monitoring import needs_prometheus

RUNBOOK = (FOLDER / "runbook.md").read_text()
ENTRIES = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def queries(text: str) -> list[str]:
    """Those of its blocks, one a line."""
    blocks = re.findall(r"^```promql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_each_alert_has_an_entry_and_each_entry_an_alert() -> None:
    assert re.findall(r"^### (.*)$", RUNBOOK, re.MULTILINE) == list(ENTRIES)
    assert sorted(ENTRIES) == sorted(alerts())


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_it_means_how_to_look_and_what_to_do(name: str) -> None:
    parts = re.findall(r"^\*\*(\w+)\.\*\* ?(.*)$", ENTRIES[name], re.MULTILINE)
    assert [part for part, _ in parts] == ["Means", "Look", "Do"]
    assert parts[0][1]
    assert parts[2][1]
    assert queries(ENTRIES[name]) or "```sh" in ENTRIES[name] or "As for [" in ENTRIES[name]


def test_entries_lead_to_entries() -> None:
    anchors = {
        heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    }
    assert set(re.findall(r"\(#([^)]*)\)", RUNBOOK)) <= anchors
    for page, anchor in re.findall(r"\]\((\.\.[^)#]*)(#[^)]*)?\)", RUNBOOK):
        text = (FOLDER / page).read_text()
        assert not anchor or anchor[1:] in {
            heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }


def test_an_entry_of_drift_states_how_often_it_is_false() -> None:
    for name, rules in alerts().items():
        if stated := rules[0]["annotations"].get("false_alarms"):
            text = " ".join(ENTRIES[name].split())
            rate = re.match(r"(none|\d+) in [\d,]+ simulated days|one in \w+|none", stated)
            assert rate, stated
            assert rate[0] in text, (name, rate[0])


@needs_prometheus
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries(RUNBOOK))]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_queries_are_of_what_there_is() -> None:
    known = {rule["record"] for rule in rules_of(*RULES)}
    known |= {sample for metric in CATALOGUE.values() for sample in metric.samples}
    for query in queries(RUNBOOK):
        found = re.findall(r"\w+:\w+:\w+|\btaxohash_\w+|\bprocess_\w+", re.sub(r'"[^"]*"', "", query))
        assert set(found) <= known, query
