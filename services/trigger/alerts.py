"""Reasons out of what Alertmanager sends, version 4 of its webhook."""

import json
from typing import Any, NamedTuple

from services.trigger.records import PIPELINES, Kind, Pipeline, Reason
from services.web.refused import RefusedError
from taxohash.runtime.terminal import printable, shortened

_MOST_CHARACTERS = 200


class Alerts(NamedTuple):
    """What a notification says of one collection.

    Attributes:
        firing: reasons, each for the run that it asks for.
        resolved: keys of those that are reasons no more.
        others: alerts of other collections.
    """

    firing: tuple[tuple[Pipeline, Reason], ...]
    resolved: tuple[str, ...]
    others: int


def alerts_of(body: bytes, collection: str, now: float) -> Alerts:
    """Read a notification. An alert without a label `collection` is of the trigger's own; one without a label `pipeline` of ours
    asks for a retraining.

    Raises:
        RefusedError: 400, it is none.
    """
    try:
        sent = json.loads(body)
        own = [
            alert for alert in sent["alerts"] if alert["labels"].get("collection", collection) == collection
        ]
        firing = [(_pipeline(alert), _reason(alert, now)) for alert in own if alert["status"] == "firing"]
        resolved = [_key(alert) for alert in own if alert["status"] == "resolved"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RefusedError(
            400, "alert", "body is no notification of Alertmanager: send version 4 of its webhook"
        ) from None
    return Alerts(tuple(firing), tuple(resolved), len(sent["alerts"]) - len(own))


def _pipeline(alert: dict[str, Any]) -> Pipeline:
    named = alert["labels"].get("pipeline")
    return next((pipeline for pipeline in PIPELINES if pipeline == named), "retrain")


def _reason(alert: dict[str, Any], now: float) -> Reason:
    name = str(alert["labels"].get("alertname", "alert"))
    summary = str((alert.get("annotations") or {}).get("summary", ""))
    text = shortened(printable(f"{name}: {summary}" if summary else name), _MOST_CHARACTERS)
    return Reason(kind=Kind.ALERT, key=_key(alert), text=text, time=now)


def _key(alert: dict[str, Any]) -> str:
    """By its fingerprint an alert is known again, as long as it fires and when it is resolved."""
    return f"alert {shortened(printable(str(alert['fingerprint'])), _MOST_CHARACTERS)}"
