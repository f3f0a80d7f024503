"""What a user puts over an overlay breaks nothing: a prefix and a suffix of all names, labels of all selectors, another namespace."""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.shared.placement import RUN_LABEL, Placement
from pipelines.shared.trainjob import LABEL
from services import settings
from tests.support.manifests import (
    OUTSIDE,
    OVERLAYS,
    ROOT,
    Manifest,
    Peer,
    Port,
    container_of,
    lets,
    of_kind,
    pods,
    render,
    render_folder,
    selects,
    variables,
)

OVER: Manifest = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "namespace": "shop",
    "namePrefix": "our-",
    "nameSuffix": "-too",
    "images": [
        {
            "name": f"{registry}taxohash/python-train",
            "newName": "registry.example/train",
            "digest": "sha256:1",
        }
        for registry in ("", "registry.example.org/")
    ],
    "labels": [{"pairs": {"team": "shop"}, "includeSelectors": True, "includeTemplates": True}],
}
# Those that are rendered with an overlay, by the fields in which names of such objects stand.
REFERENCES = {
    "serviceAccountName": "ServiceAccount",
    "serviceName": "Service",
    "claimName": "PersistentVolumeClaim",
    "priorityClassName": "PriorityClass",
}
NAMED = {
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
    "service": "Service",
    "backendRefs": "Service",
    "backendRef": "Service",
}
MADE_BY_HAND = {("ConfigMap", "codestore-ca"), ("ConfigMap", "verifying")}
WHOLE = (
    "backup exporter exporter-monitor redis-cluster prune s3-inside trainjob canary keda limits priority ingress gateway canary-shadow"
    " monitoring external-secrets signing writes tls"
)


def over(resource: str, folder: Path, components: str = "") -> list[Manifest]:
    """What is rendered of a folder of manifests, with components, below what a user puts over it."""
    inner, outer = folder / "inner", folder / "outer"
    parts = [f"components/{name}" for name in components.split()]
    _kustomize(inner, {"namespace": "inner"}, resources=[resource], components=parts)
    _kustomize(outer, OVER, resources=[str(inner)])
    return render_folder(str(outer))


def _kustomize(place: Path, fields: Manifest, **folders: list[str]) -> None:
    place.mkdir()
    head = {key: OVER[key] for key in ("apiVersion", "kind")}
    paths = {
        key: [os.path.relpath(ROOT / "manifests" / own, place.resolve()) for own in owns]
        for key, owns in folders.items()
    }
    (place / "kustomization.yaml").write_text(yaml.safe_dump(head | fields | paths))


@pytest.fixture(scope="module", params=[*OVERLAYS, "all components"])
def renderings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Manifest], list[Manifest]]:
    """An overlay, and what a user made of it."""
    folder = tmp_path_factory.mktemp("over")
    if request.param in OVERLAYS:
        return render(request.param), over(f"overlays/{request.param}", folder)
    made = over("base", folder, WHOLE)
    return render_folder(str(folder / "inner")), made


@pytest.fixture(scope="module")
def manifests(renderings: tuple[list[Manifest], list[Manifest]]) -> list[Manifest]:
    return renderings[1]


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of whatever an object names."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    if not isinstance(value, dict):
        return
    if {"kind", "name"} <= value.keys():
        yield value["kind"], value["name"]
    for key, inner in value.items():
        if key in REFERENCES:
            yield REFERENCES[key], inner
        for one in inner if isinstance(inner, list) else [inner]:
            if key in NAMED and isinstance(one, dict) and "name" in one:
                yield NAMED[key], one["name"]
        yield from references(inner)


def test_every_name_is_another_and_every_reference_goes_with_it(manifests: list[Manifest]) -> None:
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    assert all(name.startswith("our-") and "-too" in name for _, name in there)
    kinds = {kind for kind, _ in there}
    found = {
        reference
        for manifest in manifests
        for section in ("spec", "subjects", "roleRef")
        for reference in references(manifest.get(section, {}))
    }
    found = {(kind, name) for kind, name in found - MADE_BY_HAND if kind in kinds}
    assert {kind for kind, _ in found} >= {"ConfigMap", "Service", "ServiceAccount", "Role"}
    assert found <= there


def test_all_of_it_is_in_the_other_namespace(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["kind"] != "PriorityClass":
            assert manifest["metadata"]["namespace"] == "shop"
        for subject in manifest.get("subjects", []):
            assert subject["namespace"] == "shop"
    for scaled in of_kind(manifests, "ScaledObject").values():
        (trigger,) = scaled["spec"]["triggers"]
        assert 'namespace="shop"' in trigger["metadata"]["query"]


def test_pods_know_the_store_by_its_name(manifests: list[Manifest]) -> None:
    store = "our-codestore-too"
    assert store in of_kind(manifests, "Service")
    for own in pods(manifests):
        if "codestore" not in own:
            told = variables(manifests, own)
            assert told[settings.CODESTORE.name] == store
            told[settings.REDIS_URL.name] = "redis://reader:secret@:6379/0"
            assert settings.REDIS_URL.of(told) == f"redis://reader:secret@{store}:6379/0"
    (config,) = (
        own
        for name, own in of_kind(manifests, "ConfigMap").items()
        if "pipelines" in own["metadata"]["name"] and "dashboard" not in name
    )
    assert config["data"][settings.CODESTORE.name] == store


def test_the_trigger_knows_what_runs_use(manifests: list[Manifest]) -> None:
    told, placement = variables(manifests, "our-trigger-too"), Placement()
    for variable, kind, name in (
        ("RUNS_ACCOUNT", "ServiceAccount", placement.service_account),
        ("RUNS_CLAIM", "PersistentVolumeClaim", placement.claim),
        ("RUNS_SETTINGS", "ConfigMap", placement.settings[0].name),
    ):
        assert told[variable] == f"our-{name}-too"
        assert told[variable] in of_kind(manifests, kind)


def test_runs_have_the_image_of_the_trigger(manifests: list[Manifest]) -> None:
    image = "registry.example/train@sha256:1"
    assert container_of(manifests, "our-trigger-too")["image"] == image
    assert variables(manifests, "our-trigger-too")[settings.IMAGE.name] == image


def test_selectors_select_what_they_did(renderings: tuple[list[Manifest], list[Manifest]]) -> None:
    def chosen(manifests: list[Manifest]) -> list[tuple[str, list[str]]]:
        labels = {name: pod["metadata"]["labels"] for name, pod in pods(manifests).items()}
        found = []
        for manifest in manifests:
            selector = manifest.get("spec", {}).get("selector")
            if manifest["kind"] in (
                "Service",
                "Deployment",
                "StatefulSet",
                "PodDisruptionBudget",
                "PodMonitor",
            ):
                selector = selector if manifest["kind"] != "Service" else {"matchLabels": selector}
                names = sorted(plain(name) for name, own in labels.items() if selects(selector, own))
                found.append((manifest["kind"], names))
                assert names
        return sorted(found)

    before, after = (chosen(manifests) for manifests in renderings)
    assert after == before


def plain(name: str) -> str:
    return name.removeprefix("our-").removesuffix("-too")


def test_policies_let_through_what_they_did(renderings: tuple[list[Manifest], list[Manifest]]) -> None:
    """Pods of runs among them, which nobody gives a user's labels."""
    places = {
        "a step": Peer({RUN_LABEL: "a-run", **Placement().labels}),
        "a driver": Peer({RUN_LABEL: "a-run"}),
        "a node of a training": Peer(LABEL),
        "a shop": Peer({"taxohash/retrieval": "client"}),
        "a stranger": Peer({"app": "stranger"}),
        "DNS": Peer({"k8s-app": "coredns"}, {"kubernetes.io/metadata.name": "kube-system"}),
        "DNS of the node": Peer(address="169.254.20.10"),
        "Kubeflow": Peer({"app": "ml-pipeline"}, {"kubernetes.io/metadata.name": "kubeflow"}),
        "Prometheus": Peer({"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"}),
        "a proxy": Peer({"app": "proxy"}, {"taxohash/retrieval": "client"}),
        "outside": OUTSIDE,
        "credentials": Peer(address="169.254.169.254"),
    }
    ports = [Port(3000, "http"), Port(8080, "http"), Port(6379, "redis"), Port(443), Port(53, protocol="UDP")]

    def ways(manifests: list[Manifest]) -> set[tuple[str, str, int]]:
        own = {plain(name): Peer(pod["metadata"]["labels"]) for name, pod in pods(manifests).items()}
        ends = places | own
        policies = list(of_kind(manifests, "NetworkPolicy").values())
        return {
            (source, target, port.number)
            for (source, one), (target, other), port in product(ends.items(), ends.items(), ports)
            if source in own or target in own or one.namespace is None
            if lets(policies, one, other, port)
        }

    before, after = (ways(manifests) for manifests in renderings)
    assert ("a step", "codestore", 6379) in before
    assert ("a step", "DNS of the node", 53) in before
    assert ("retrieval", "credentials", 443) not in before
    assert after == before
