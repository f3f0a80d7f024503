"""Reasons out of Alertmanager's notifications."""

import json
from typing import Any

import pytest

from services.trigger.alerts import alerts_of
from services.web.refused import RefusedError

# As Alertmanager 0.25 sends it.
ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "QueriesFarFromEverything", "severity": "ticket"},
    "annotations": {"summary": "a third of the queries is far from everything"},
    "startsAt": "2026-11-26T12:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph", "fingerprint": "c0ffee",
}  # fmt: skip


def body(*alerts: dict[str, Any], **more: Any) -> bytes:
    around = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "trigger",
              "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am:9093"}  # fmt: skip
    return json.dumps({**around, "alerts": alerts, **more}).encode()


def test_what_fires_is_a_reason_and_what_is_resolved_its_key() -> None:
    resolved = {**ALERT, "status": "resolved", "fingerprint": "beef"}
    found = alerts_of(body(ALERT, resolved), "birds", 7.0)
    ((pipeline, reason),) = found.firing
    assert pipeline == "retrain"
    assert (reason.kind, reason.key, reason.time) == ("alert", "alert c0ffee", 7.0)
    assert reason.text == "QueriesFarFromEverything: a third of the queries is far from everything"
    assert found.resolved == ("alert beef",)
    assert found.others == 0


def test_alerts_of_another_collection_are_not_ours() -> None:
    ours = {**ALERT, "labels": {"collection": "birds"}, "annotations": {}}
    theirs = {**ALERT, "labels": {"alertname": "x", "collection": "plants"}}
    found = alerts_of(body(ours, theirs), "birds", 0.0)
    assert [reason.text for _, reason in found.firing] == ["alert"]
    assert found.others == 1


@pytest.mark.parametrize(
    ("named", "wanted"),
    [("reindex", "reindex"), ("retrain", "retrain"), ("drop", "retrain"), (["reindex"], "retrain")],
)
def test_an_alert_names_the_run_that_it_asks_for(named: Any, wanted: str) -> None:
    alert = {**ALERT, "labels": {**ALERT["labels"], "pipeline": named}}
    assert [pipeline for pipeline, _ in alerts_of(body(alert), "birds", 0.0).firing] == [wanted]


def test_long_and_hostile_texts_are_cut_and_printable() -> None:
    hostile = {**ALERT, "annotations": {"summary": "\x1b[2J\n" + "x" * 10_000}, "fingerprint": "\n" * 1000}
    ((_, reason),) = alerts_of(body(hostile), "birds", 0.0).firing
    assert len(reason.text) <= 200
    assert reason.text.isprintable()
    assert reason.key.isprintable()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\xff", b"[]", b"null", b"{}", b'{"alerts": 1}', b'{"alerts": [1]}', b'{"alerts": [{}]}', b"[" * 100_000,
     body({**ALERT, "labels": None}), body({key: value for key, value in ALERT.items() if key != "fingerprint"})],
)  # fmt: skip
def test_what_is_no_notification_is_refused(sent: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        alerts_of(sent, "birds", 0.0)
    assert (refused.value.status, refused.value.reason) == (400, "alert")
