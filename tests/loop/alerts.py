"""The shipped rules and routes of alerts with their times shortened, as hours would be long to watch."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[2] / "manifests" / "monitoring"
ALERT = "TaxohashSearchesFarFromEverything"  # that the loop is about
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
# Within brackets and after `offset`; texts are matched so that nothing is found in them.
_OF_EXPRESSIONS = re.compile(
    rf"""("[^"]*"|'[^']*')|(?<=\[){_DURATION}(?=[\]:])|(?<=:){_DURATION}(?=\])|(?<=offset ){_DURATION}"""
)
_OF_RULES = ("for", "keep_firing_for")
_OF_ROUTES = ("group_wait", "repeat_interval")
_SCRAPES = 4  # that a rate is of at least


@dataclass(frozen=True)
class Pace:
    """How fast time goes.

    Attributes:
        factor: that shipped times are divided by.
        interval: seconds between scrapes, and between looks at the rules.
        patience: seconds for which alerts by name must hold, however long that is at this pace.
        notice: seconds after which Alertmanager tells more of a group, at most.
    """

    factor: float
    interval: float
    patience: Mapping[str, float] = field(default_factory=dict)
    notice: float = math.inf

    def hastened(self, duration: str, least: float = 0.0, most: float = math.inf) -> str:
        """A duration as Prometheus writes it, divided.

        Args:
            least, most: seconds that are left.
        """
        parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts) / self.factor
        return f"{round(1000 * min(max(seconds, least), most))}ms"


def hastened_rules(out: Path, pace: Pace) -> Path:
    """All shipped rules, as files of a new folder; only times differ. A pattern of their names."""
    out.mkdir()
    for kind in ("rules", "alerts"):
        for file in sorted((MONITORING / kind).glob("*.yaml")):
            (out / f"{kind}-{file.name}").write_text(
                yaml.safe_dump(_hastened(yaml.safe_load(file.read_text()), pace), sort_keys=False, width=1000)
            )
    return out / "*.yaml"


def hastened_routes(trigger: str, token: Path, people: str, pace: Pace) -> dict[str, Any]:
    """Alertmanager's configuration: the trigger's address and a file that holds its password; what is sent to others goes to `people`."""
    config: dict[str, Any] = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text())
    _hasten_routes(config["route"], pace)
    (hook,) = (hook for receiver in config["receivers"] for hook in receiver.get("webhook_configs", ()))
    path = re.sub("^http://[^/]*", "", hook["url"])
    hook["url"] = f"{trigger}{path}"
    hook["http_config"]["authorization"]["credentials_file"] = str(token)
    for receiver in config["receivers"]:
        receiver["slack_configs"] = [
            {name: value for name, value in own.items() if name != "api_url_file"} | {"api_url": people}
            for own in receiver.get("slack_configs", ())
        ]
    return config


def of_drift() -> dict[str, str]:
    """The expressions of the shipped alerts of drift, by their names."""
    groups = yaml.safe_load((MONITORING / "alerts" / "drift.yaml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def bound(alert: str) -> float:
    """The share that an alert of drift lets pass."""
    return float(re.findall(r"> (0\.\d+)", of_drift()[alert])[0])


def _hastened(rules: dict[str, Any], pace: Pace) -> dict[str, Any]:
    for group in rules["groups"]:
        if "interval" in group:
            group["interval"] = pace.hastened(group["interval"], pace.interval)
        for rule in group["rules"]:
            rule["expr"] = _OF_EXPRESSIONS.sub(
                lambda found: found[1] or pace.hastened(found[0], _SCRAPES * pace.interval), rule["expr"]
            )
            rule.update({name: pace.hastened(rule[name]) for name in _OF_RULES if name in rule})
            if rule.get("alert") in pace.patience:
                rule["for"] = f"{round(1000 * pace.patience[rule['alert']])}ms"
    return rules


def _hasten_routes(route: dict[str, Any], pace: Pace) -> None:
    route.update({name: pace.hastened(route[name]) for name in _OF_ROUTES if name in route})
    if "group_interval" in route:
        route["group_interval"] = pace.hastened(route["group_interval"], most=pace.notice)
    for inner in route.get("routes", ()):
        _hasten_routes(inner, pace)
