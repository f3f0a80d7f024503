"""Schemas of custom resources: what is in use passes them, and a field that they do not know does not."""

import json
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipelines.shared.trainjob import trainjob
from taxohash.training.config import HasherConfig
from tests.support.combinations import render_with
from tests.support.manifests import ROOT, Manifest
from tests.support.schemas import HERE, VERSIONS, fault

FILES = sorted(HERE.glob("*.json"))


@cache
def in_use() -> list[Manifest]:
    """Custom resources that components render, that are compiled, and that `taxohash pipeline trainjob` writes."""
    found = render_with("production", ("keda", "gateway", "monitoring", "alerts", "external-secrets"))
    for file in (ROOT / "pipelines" / "compiled").glob("*-kubernetes.yaml"):
        found += yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    found.append(trainjob(HasherConfig(), "/work/data", "/work/runs/a_run", 2))
    return [m for m in found if (HERE / name_of(m)).is_file()]


def name_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion'].replace('/', '_')}_{manifest['kind']}.json"


def test_what_is_in_use_is_of_its_schema() -> None:
    found = in_use()
    for manifest in found:
        assert fault(manifest, VERSIONS[-1]) == ""
    # test_components.py finds a component with a kind that is not here; ServiceMonitor is for who prefers it.
    assert {name_of(m) for m in found} == {file.name for file in FILES} - {
        "monitoring.coreos.com_v1_ServiceMonitor.json"
    }


def test_a_field_that_is_not_known_is_found_wherever_it_is() -> None:
    for manifest in {name_of(m): m for m in in_use()}.values():
        wrong = deepcopy(manifest)
        wrong["spec"]["misspelt"] = 1
        assert "misspelt" in fault(wrong, VERSIONS[-1])
        del wrong["spec"]["misspelt"]
        wrong["metadate"] = {}
        assert "metadate" in fault(wrong, VERSIONS[-1])


@pytest.mark.parametrize(
    ("kind", "way", "value"),
    [
        ("ScaledObject", ("spec", "scaleTargetRef", "kinds"), "Deployment"),
        ("ScaledObject", ("spec", "minReplicaCount"), "three"),
        ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0, "wait"), 5),
        ("HTTPRoute", ("spec", "rules", 0, "matches", 0, "path", "type"), "Regex"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "paths"), "/metrics"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "relabelings", 0, "action"), "put"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "alerts"), "x"),
        ("ExternalSecret", ("spec", "target", "names"), "x"),
        ("ExternalSecret", ("spec", "secretStoreRef", "kind"), "Store"),
    ],
)
def test_words_and_types_are_looked_at(kind: str, way: tuple[str | int, ...], value: object) -> None:
    wrong = deepcopy(next(m for m in in_use() if m["kind"] == kind))
    inner: Any = wrong
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    assert fault(wrong, VERSIONS[-1]) != ""


def test_a_kind_without_a_schema_is_told() -> None:
    unknown = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "own"}}
    assert fault(unknown, VERSIONS[-1]) == "Thing own: there is no schema for example.org/v1 Thing"


def test_a_misspelt_field_of_kubernetes_is_found() -> None:
    wrong = deepcopy(next(m for m in render_with("dev", ()) if m["kind"] == "Deployment"))
    wrong["spec"]["replica"] = 1
    for version in VERSIONS:
        assert "replica" in fault(wrong, version)
        with pytest.raises(kubernetes_validate.ValidationError, match="replica"):  # whose schemas these are
            kubernetes_validate.validate(wrong, version, strict=True)


def test_where_each_schema_is_from_is_told_beside_it() -> None:
    told = (HERE / "README.md").read_text(encoding="utf-8")
    for file in FILES:
        comment = json.loads(file.read_text(encoding="utf-8"))["$comment"]
        assert file.stem.rsplit("_", 1)[-1] in told
        made = comment.removeprefix("Made by make.py of ").split(" ")
        assert made[0] == "By" or (f"`{made[1]}`" in told and made[2] in told)
