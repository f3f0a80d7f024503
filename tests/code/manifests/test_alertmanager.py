"""Who is told of which alert, together with which, and what says nothing beside what: by the real amtool and Alertmanager."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.settings import DURATION
from services.trigger.records import PIPELINES
from tests.support.alerting import FOLDER, alerts, program, read
from tests.support.manifests import ROOT
from tests.support.monitoring import alertmanager, needs_prometheus

FILE = FOLDER / "alertmanager.yaml"
CONFIG: dict[str, Any] = read(FILE)
ROUTES: list[dict[str, Any]] = CONFIG["route"]["routes"]
Labels = Mapping[str, str]
SHOP = {"collection": "shop", "namespace": "a"}
LABELS: list[Labels] = [
    {"alertname": name, **rule["labels"], **SHOP} for name, rules in alerts().items() for rule in rules
]


# -- as they are written ----------------------------------------------------------------------------------


@needs_prometheus
def test_alertmanager_takes_its_configuration() -> None:
    done = program("amtool", "check-config", FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_linter_of_routes_finds_nothing() -> None:
    linter = str(Path(sys.executable).with_name("amlint"))
    words = ["check", str(FILE), "--strict", "--rules", str(FOLDER / "alerts" / "*.yaml")]
    done = subprocess.run([linter, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_receiver_is_used_and_told_where() -> None:
    used = [CONFIG["route"]["receiver"], *(route["receiver"] for route in ROUTES)]
    assert {receiver["name"] for receiver in CONFIG["receivers"]} == set(used)
    assert len(CONFIG["receivers"]) == len(set(used))
    assert all(len(receiver) > 1 for receiver in CONFIG["receivers"])


def test_every_route_can_be_taken_and_its_times_agree() -> None:
    matchers = [tuple(route["matchers"]) for route in ROUTES]
    assert len(set(matchers)) == len(matchers)
    assert all(matchers)  # one without would take what comes after it
    assert not ROUTES[-1].get("continue")  # to nowhere
    for route in ({**CONFIG["route"], **own} for own in ROUTES):
        wait, interval, again = (
            DURATION.parse(route[name]) for name in ("group_wait", "group_interval", "repeat_interval")
        )
        assert wait <= interval <= again, route


def test_what_is_inhibited_is_told_apart_and_there() -> None:
    for rule in CONFIG["inhibit_rules"]:
        assert rule["equal"], rule
        named = [
            re.findall(r'alertname !?=~? "(.*)"', matcher)
            for side in ("source", "target")
            for matcher in rule[f"{side}_matchers"]
        ]
        names = {name for found in named for text in found for name in text.split("|")} - {"Taxohash.*"}
        assert names <= alerts().keys(), names


def test_the_trigger_is_where_the_manifests_put_it() -> None:
    (webhook,) = (hook for receiver in CONFIG["receivers"] for hook in receiver.get("webhook_configs", ()))
    service = yaml.safe_load((ROOT / "manifests" / "base" / "trigger" / "service.yaml").read_text())
    assert [port["port"] for port in service["spec"]["ports"]] == [80]
    assert webhook["url"] == f"http://{service['metadata']['name']}/v1/alerts"
    assert webhook["send_resolved"]
    pipelines = re.search('"(.*)"', ROUTES[0]["matchers"][0])
    assert pipelines
    assert sorted(pipelines[1].split("|")) == sorted(PIPELINES)


# -- as Alertmanager reads them ---------------------------------------------------------------------------


@needs_prometheus
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "page"}, ["pager"]),
        ({"severity": "ticket"}, ["people"]),
        ({"severity": "ticket", "pipeline": "retrain"}, ["trigger", "people"]),
        ({"severity": "page", "pipeline": "drift"}, ["trigger", "pager"]),
        ({"severity": "ticket", "pipeline": "reindex"}, ["trigger", "people"]),
        ({"severity": "ticket", "kind": "retrain"}, ["people"]),
        ({}, ["people"]),
    ],
)
def test_who_is_told(labels: Labels, receivers: list[str]) -> None:
    words = [f"{name}={value}" for name, value in {"alertname": "Taxohash", **labels}.items()]
    done = program("amtool", "config", "routes", "test", f"--config.file={FILE}", *words)
    assert done.stdout.strip().split(",") == receivers, done.stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), CONFIG) as url:
        yield url


def fire(url: str, *firing: Labels) -> None:
    """Only these fire, in a collection of this test."""
    for labels in firing:
        words = [f'{name}="{value}"' for name, value in labels.items()]
        done = program("amtool", "alert", "add", f"--alertmanager.url={url}", *words)
        assert done.returncode == 0, done.stderr


def quiet(url: str, collection: str) -> set[str]:
    """Alerts of a collection of which nothing is told, with their severity."""
    told = httpx.get(
        f"{url}/api/v2/alerts", params={"filter": f'collection="{collection}"'}
    ).raise_for_status()
    return {
        f"{alert['labels']['alertname']} {alert['labels'].get('severity', '')}".strip()
        for alert in told.json()
        if alert["status"]["inhibitedBy"]
    }


def alert(name: str, collection: str, severity: str = "", **more: str) -> Labels:
    """The labels of an alert, as its rule gives them."""
    (rule,) = (rule for rule in alerts()[name] if severity in ("", rule["labels"]["severity"]))
    return {"alertname": name, "collection": collection, **rule["labels"], **more}


@needs_prometheus
def test_of_an_objective_the_page_is_told(running: str) -> None:
    rules = alerts()["TaxohashRequestsFail"]
    own = [
        {"alertname": "TaxohashRequestsFail", "collection": "objective", **rule["labels"]} for rule in rules
    ]
    other = {**own[-1], "alertname": "TaxohashSearchesLate"}
    assert (own[-1]["severity"], own[0]["severity"]) == ("ticket", "page")
    fire(running, *own, other, {**own[-1], "collection": "another"})
    assert quiet(running, "objective") == {"TaxohashRequestsFail ticket"}
    assert quiet(running, "another") == set()


@needs_prometheus
def test_levels_of_recall_are_apart(running: str) -> None:
    name, of = "TaxohashCanaryRecallLower", {"generation": "a", "level": "class"}
    fire(
        running,
        alert(name, "levels", "page", **of),
        alert(name, "levels", "ticket", generation="a", level="top"),
    )
    assert quiet(running, "levels") == set()
    fire(running, alert(name, "levels", "ticket", **of))
    assert quiet(running, "levels") == {f"{name} ticket"}


@needs_prometheus
def test_of_a_service_that_is_down_nothing_else_is_told(running: str) -> None:
    others = ("TaxohashNotReady", "TaxohashProcessDown", "TaxohashReplicaStale", "TaxohashDistancesDrifted")
    of_the_trigger = alert("TaxohashRunStuck", "down", kind="retrain")
    fire(running, *(alert(name, "down") for name in others), of_the_trigger)
    assert quiet(running, "down") == set()
    fire(running, alert("TaxohashDown", "down"), alert("TaxohashNotReady", "up"))
    assert {told.split()[0] for told in quiet(running, "down")} == set(others)
    assert quiet(running, "up") == set()


@needs_prometheus
def test_of_a_store_that_is_unreachable_its_consequences_are_not_told(running: str) -> None:
    others = (
        *("TaxohashReplicaLags", "TaxohashReplicaStale", "TaxohashSwapFails", "TaxohashPublishedNotServed"),
        *("TaxohashStoreFiguresStale", "TaxohashBackfillStalled"),
    )
    fire(running, *(alert(name, "store") for name in others), alert("TaxohashNotReady", "store"))
    assert quiet(running, "store") == set()
    fire(running, alert("TaxohashStoreUnreachable", "store", "page"))
    assert {told.split()[0] for told in quiet(running, "store")} == set(others)


@needs_prometheus
def test_drift_of_one_cause_is_told_once_and_the_trigger_hears_it(running: str) -> None:
    far, unlike = (
        alert(name, "drift")
        for name in ("TaxohashSearchesFarFromEverything", "TaxohashSearchesUnlikeAnything")
    )
    fire(running, far, unlike, alert("TaxohashDistancesDrifted", "drift", generation="a"))
    assert quiet(running, "drift") == {"TaxohashDistancesDrifted ticket"}
    groups = httpx.get(f"{running}/api/v2/alerts/groups").raise_for_status().json()
    of_the_trigger = [
        group
        for group in groups
        if group["receiver"]["name"] == "trigger" and group["labels"]["collection"] == "drift"
    ]
    assert [group["labels"] for group in of_the_trigger] == [{"collection": "drift", "pipeline": "retrain"}]
    assert {own["labels"]["alertname"] for own in of_the_trigger[0]["alerts"]} == {
        far["alertname"],
        unlike["alertname"],
    }
    told = {
        own["labels"]["alertname"]: group["labels"]
        for group in groups
        if group["receiver"]["name"] == "people" and group["labels"].get("collection") == "drift"
        for own in group["alerts"]
    }
    assert told[far["alertname"]] == {"alertname": far["alertname"], "collection": "drift"}


@needs_prometheus
def test_absence_is_told_alone(running: str) -> None:
    """At last, as it quiets the alerts of all other tests."""
    fire(running, alert("TaxohashReplicaStale", "absent"), alert("TaxohashRunStuck", "absent", kind="drift"))
    assert quiet(running, "absent") == set()
    absent = {"alertname": "TaxohashAbsent", "job": "taxohash", "severity": "page", "service": "retrieval"}
    fire(running, absent)
    assert quiet(running, "absent") == {"TaxohashReplicaStale ticket"}
    fire(running, {"alertname": "TaxohashTriggerAbsent", "severity": "ticket", "service": "trigger"})
    assert quiet(running, "absent") == {"TaxohashReplicaStale ticket", "TaxohashRunStuck ticket"}


# -- whatever fires -----------------------------------------------------------------------------------------


def inhibits(source: Labels, target: Labels) -> bool:
    """Whether one is the reason why nothing is told of the other."""
    return any(
        _matches(rule["source_matchers"], source)
        and _matches(rule["target_matchers"], target)
        and all(source.get(label) == target.get(label) for label in rule["equal"])
        for rule in CONFIG["inhibit_rules"]
    )


def _matches(matchers: list[str], labels: Labels) -> bool:
    for matcher in matchers:
        found = re.fullmatch(r'(\w+) (=~|!~|!=|=) "(.*)"', matcher)
        assert found, matcher
        if bool(re.fullmatch(found[3], labels.get(found[1], ""))) == found[2].startswith("!"):
            return False
    return True


def test_something_is_told_always() -> None:
    """No two alerts say nothing because of each other, and no ticket keeps a page from being told."""
    for one, other in combinations(LABELS, 2):
        assert not (inhibits(one, other) and inhibits(other, one)), (one, other)
    for source in LABELS:
        for target in LABELS:
            worse = source["severity"] == "ticket" and target["severity"] == "page"
            assert not (worse and inhibits(source, target)), (source, target)
