"""Rules of alerts: by the real promtool, and against the metrics that services export."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.metrics import CATALOGUE
from tests.support.monitoring import PROGRAMS, needs_prometheus

FOLDER = Path(__file__).parents[3] / "manifests" / "monitoring"
ALERTS = sorted((FOLDER / "alerts").glob("*.yaml"))
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))


def promtool(*words: str | Path) -> None:
    done = subprocess.run(
        [PROGRAMS / "promtool", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
@pytest.mark.parametrize("file", ALERTS, ids=lambda file: file.stem)
def test_prometheus_takes_the_rules(file: Path) -> None:
    promtool("check", "rules", file)


@needs_prometheus
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_rules_fire_when_they_should(file: Path) -> None:
    promtool("test", "rules", file)


@needs_prometheus
def test_alertmanager_takes_its_configuration() -> None:
    command = [str(PROGRAMS / "amtool"), "check-config", str(FOLDER / "alertmanager.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_of_metrics_that_are_exported() -> None:
    known = {sample for metric in CATALOGUE.values() for sample in metric.samples}
    for file in ALERTS:
        groups: dict[str, Any] = yaml.safe_load(file.read_text())
        for rule in (rule for group in groups["groups"] for rule in group["rules"]):
            assert set(re.findall(r"taxohash_\w+", rule["expr"])) <= known, rule["alert"]


def test_each_alert_has_a_test() -> None:
    tested = "".join(file.read_text() for file in TESTS)
    for file in ALERTS:
        for alert in re.findall(r"alert: (\w+)", file.read_text()):
            assert f"alertname: {alert}" in tested
