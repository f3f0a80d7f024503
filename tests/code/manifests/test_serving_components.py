"""Components of the serving side: each does what it says, in agreement with what it is for."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipelines.shared.placement import PICTURES, VERIFYING, VERIFYING_MOUNT, Placement
from services import settings
from services.metrics import CATALOGUE
from services.retrieval.routes import ENDPOINTS
from services.trigger.routes import ENDPOINTS as TRIGGER_ENDPOINTS
from tests.support.alerting import ALERTS, RULES, promtool, read, rules_of
from tests.support.manifests import (
    KUBECTL,
    OVERLAYS,
    ROOT,
    Manifest,
    Peer,
    allowed,
    container_of,
    containers,
    of_kind,
    pods,
    render,
    render_folder,
    selects,
    variables,
)
from tests.support.monitoring import needs_prometheus

FOLDER = ROOT / "manifests" / "components"
PROMETHEUS = Peer({"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})
HEALTH = {"/livez", "/readyz", "/healthz", "/metrics"}


@pytest.fixture(scope="module")
def with_components(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is rendered of a folder of manifests with components."""

    def rendered(*names: str, resource: str = "base", **more: Any) -> list[Manifest]:
        return render_folder(str(overlay(tmp_path_factory.mktemp("with"), *names, resource=resource, **more)))

    return rendered


def overlay(folder: Path, *names: str, resource: str = "base", **more: Any) -> Path:
    places = [resource, *(f"components/{name}" for name in names)]
    first, *others = (os.path.relpath(ROOT / "manifests" / place, folder.resolve()) for place in places)
    told = {"resources": [first], "components": others, "namespace": "shop", **more}
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(head | told))
    return folder


def test_what_kubernetes_has_a_schema_for_is_of_it(with_components: Any) -> None:
    ours = ("canary", "autoscaler", "limits", "priority", "ingress", "monitoring", "signing", "writes")
    manifests = with_components(*ours)
    assert {"LimitRange", "PriorityClass", "Ingress", "HorizontalPodAutoscaler"} <= {
        m["kind"] for m in manifests
    }
    for manifest in manifests:
        if not manifest["apiVersion"].startswith("monitoring.coreos.com"):
            kubernetes_validate.validate(manifest, "1.37", strict=True)


# -- how many pods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", ["autoscaler", "keda"])
def test_who_scales_names_the_deployment_and_owns_its_replicas(with_components: Any, component: str) -> None:
    manifests = with_components(component, "canary")
    (scaler,) = of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject").values()
    deployments = of_kind(manifests, "Deployment")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"], target["name"]) == ("apps/v1", "Deployment", "retrieval")
    assert "replicas" not in deployments["retrieval"]["spec"]
    assert deployments["retrieval-canary"]["spec"]["replicas"] == 1
    least, most = (
        scaler["spec"].get(f"{bound}Replicas") or scaler["spec"][f"{bound}ReplicaCount"]
        for bound in ("min", "max")
    )
    assert 2 <= least < most


def test_two_that_scale_exclude_each_other(tmp_path: Path) -> None:
    folder = overlay(tmp_path, "autoscaler", "keda")
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "/spec/replicas" in done.stderr


@needs_prometheus
def test_requests_under_way_are_asked_of_prometheus(with_components: Any, tmp_path: Path) -> None:
    manifests = with_components("keda")
    (trigger,) = of_kind(manifests, "ScaledObject")["retrieval"]["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert re.findall(r"taxohash_\w+", query) == ["taxohash_searches"]
    assert CATALOGUE["taxohash_searches"].kind == "gauge"
    assert dict(re.findall(r'(\w+)="(\w+)"', query)) == {"job": "taxohash", "namespace": "shop"}
    assert int(trigger["metadata"]["threshold"]) < settings.MAX_REQUESTS.of(variables(manifests, "retrieval"))
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "scaled", "rules": [{"record": "asked", "expr": query}]}]})
    )
    promtool("check", "rules", tmp_path / "rules.yaml")


def test_defaults_of_a_namespace_refuse_no_container(with_components: Any) -> None:
    """A default limit that is below what a container requests would."""
    (limits,) = of_kind(with_components("limits"), "LimitRange")["limits"]["spec"]["limits"]
    most = cores(limits["default"]["cpu"])
    requested = [
        container["resources"]["requests"]["cpu"]
        for name in OVERLAYS
        for _, container in containers(render(name))
    ]
    placement = Placement()
    requested += [placement.resources(kind).cpu for kind in ("light", "training", "encoding")]
    assert max(map(cores, requested)) <= most


def cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def test_what_answers_searches_is_the_last_to_go(with_components: Any) -> None:
    manifests = with_components("canary", "priority")
    (name,) = of_kind(manifests, "PriorityClass")
    classes = {own: pod["spec"].get("priorityClassName") for own, pod in pods(manifests).items()}
    assert classes == {
        **dict.fromkeys(("retrieval", "retrieval-canary", "codestore"), name),
        **dict.fromkeys(("backfill", "trigger")),
    }


# -- a candidate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_a_canary_is_as_the_stable_one_but_pinned(with_components: Any, before: bool) -> None:
    """Whatever other components and the overlay make of that, in any order."""
    names = ("signing", "canary", "writes") if before else ("canary", "signing", "writes")
    pin = [
        {
            "target": {"kind": "ConfigMap", "name": "canary"},
            "patch": f"- {{op: replace, path: /data/{settings.PIN.name}, value: 0123456789ab}}",
        }
    ]
    room = [
        {
            "target": {"kind": "Deployment", "labelSelector": "app.kubernetes.io/name=retrieval"},
            "patch": "- {op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: 9Gi}",
        }
    ]
    image = {"name": "taxohash-retrieval", "newName": "registry.example/taxohash", "newTag": "3"}
    manifests = with_components(*names, patches=pin + room, images=[image])
    stable, canary = (container_of(manifests, name) for name in ("retrieval", "retrieval-canary"))
    assert variables(manifests, "retrieval-canary") == variables(manifests, "retrieval") | {
        settings.PIN.name: "0123456789ab"
    }
    assert canary["image"] == "registry.example/taxohash:3"
    assert canary["resources"]["limits"]["memory"] == "9Gi"
    assert canary["envFrom"][:-1] == stable["envFrom"]
    assert canary | {"envFrom": stable["envFrom"]} == stable
    templates = pods(manifests)
    specs = [dict(templates[name]["spec"], containers=[]) for name in ("retrieval", "retrieval-canary")]
    assert specs[0] == specs[1]


def test_a_canary_answers_beside_the_stable_one_and_is_another(with_components: Any) -> None:
    manifests = with_components("canary")
    deployments, labels = (
        of_kind(manifests, "Deployment"),
        {n: p["metadata"]["labels"] for n, p in pods(manifests).items()},
    )
    for kind in ("Service", "PodDisruptionBudget"):
        selector = of_kind(manifests, kind)["retrieval"]["spec"]["selector"]
        selector = {"matchLabels": selector} if kind == "Service" else selector
        assert {name for name, own in labels.items() if selects(selector, own)} == {
            "retrieval",
            "retrieval-canary",
        }
    for name in ("retrieval", "retrieval-canary"):
        chosen = {
            other for other, own in labels.items() if selects(deployments[name]["spec"]["selector"], own)
        }
        assert chosen == {name}
    for name in ("retrieval", "retrieval-canary"):
        assert allowed(manifests, Peer(labels[name]), Peer(labels["codestore"]), 6379, "redis")


# -- from outside -----------------------------------------------------------------------------------------


def shown(paths: list[tuple[str, str]], path: str) -> bool:
    """Whether one of these types and paths is that of a request."""
    return any(
        path == own if kind == "Exact" else f"{path}/".startswith(f"{own.rstrip('/')}/")
        for kind, own in paths
    )


def test_outside_there_is_all_but_health_and_metrics(with_components: Any) -> None:
    manifests = with_components("ingress", "gateway")
    (ingress,), (route,) = (of_kind(manifests, kind).values() for kind in ("Ingress", "HTTPRoute"))
    (rule,) = ingress["spec"]["rules"]
    (forwarded,) = route["spec"]["rules"]
    of_ingress = [(path["pathType"], path["path"]) for path in rule["http"]["paths"]]
    of_route = [(match["path"]["type"], match["path"]["value"]) for match in forwarded["matches"]]
    assert {endpoint.path for endpoint in ENDPOINTS} > HEALTH
    for paths in (of_ingress, of_route):
        for endpoint in ENDPOINTS:
            assert shown(paths, endpoint.path) == (endpoint.path not in HEALTH), endpoint.path
    service = of_kind(manifests, "Service")["retrieval"]
    (port,) = service["spec"]["ports"]
    for path in rule["http"]["paths"]:
        assert path["backend"]["service"] == {"name": "retrieval", "port": {"name": port["name"]}}
    assert forwarded["backendRefs"] == [{"name": "retrieval", "port": port["port"]}]
    (tls,) = ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"]] == route["spec"]["hostnames"]
    assert tls["secretName"]


def test_weights_are_of_services_that_are_apart(with_components: Any) -> None:
    manifests = with_components("canary", "gateway", "canary-weight")
    (rule,) = of_kind(manifests, "HTTPRoute")["retrieval"]["spec"]["rules"]
    assert sum(backend["weight"] for backend in rule["backendRefs"]) == 100
    assert chosen(manifests, rule["backendRefs"]) == [{"retrieval"}, {"retrieval-canary"}]


def test_a_shadow_is_asked_what_changes_nothing(with_components: Any) -> None:
    manifests = with_components("canary", "gateway", "canary-shadow")
    mirrored, others = of_kind(manifests, "HTTPRoute")["retrieval"]["spec"]["rules"]
    readable = {(own.method, own.path) for own in ENDPOINTS if own.access == "search"}
    assert {(match["method"], match["path"]["value"]) for match in mirrored["matches"]} <= readable
    (mirror,) = (own["requestMirror"]["backendRef"] for own in mirrored["filters"])
    assert chosen(manifests, [mirror]) == [{"retrieval-canary"}]
    for rule in (mirrored, others):
        assert chosen(manifests, rule["backendRefs"]) == [{"retrieval"}]
    assert "filters" not in others


def chosen(manifests: list[Manifest], backends: list[Manifest]) -> list[set[str]]:
    """The workloads whose pods answer at each of these Services."""
    services = of_kind(manifests, "Service")
    found = []
    for backend in backends:
        service = services[backend["name"]]
        assert backend["port"] in [port["port"] for port in service["spec"]["ports"]]
        selector = {"matchLabels": service["spec"]["selector"]}
        found.append(
            {name for name, pod in pods(manifests).items() if selects(selector, pod["metadata"]["labels"])}
        )
    return found


# -- watched ----------------------------------------------------------------------------------------------


def test_prometheus_finds_both_as_alerts_know_them(with_components: Any) -> None:
    manifests = with_components(
        "canary", "monitoring",
        configMapGenerator=[{"name": "retrieval", "behavior": "merge", "literals": [f"{settings.COLLECTION.name}=birds"]}],
    )  # fmt: skip
    monitors = of_kind(manifests, "PodMonitor")
    assert monitors.keys() == {"retrieval", "trigger"}
    wanted: dict[str, tuple[set[str], dict[str, str], list[Any]]] = {
        "retrieval": (
            {"retrieval", "retrieval-canary"},
            {"job": "taxohash", "collection": "birds"},
            ENDPOINTS,
        ),
        "trigger": ({"trigger"}, {"job": "taxohash-trigger"}, TRIGGER_ENDPOINTS),
    }
    jobs = {
        found for rule in rules_of(*RULES, *ALERTS) for found in re.findall(r'job="([^"]*)"', rule["expr"])
    }
    assert jobs >= {told["job"] for _, told, _ in wanted.values()}
    for name, (workloads, labels, endpoints) in wanted.items():
        spec = monitors[name]["spec"]
        (endpoint,) = spec["podMetricsEndpoints"]
        assert {
            relabel["targetLabel"]: relabel["replacement"] for relabel in endpoint["relabelings"]
        } == labels
        assert ("GET", endpoint["path"]) in {(own.method, own.path) for own in endpoints}
        templates = pods(manifests)
        assert {
            own for own, pod in templates.items() if selects(spec["selector"], pod["metadata"]["labels"])
        } == workloads
        for own in workloads:
            (port,) = (
                port for port in container_of(manifests, own)["ports"] if port["name"] == endpoint["port"]
            )
            target = Peer(templates[own]["metadata"]["labels"])
            assert allowed(manifests, PROMETHEUS, target, port["containerPort"], port["name"])
            assert not allowed(render("dev"), PROMETHEUS, target, port["containerPort"], port["name"])
    assert not allowed(
        manifests, PROMETHEUS, Peer(pods(manifests)["codestore"]["metadata"]["labels"]), 6379, "redis"
    )


def test_the_rules_of_the_operator_are_the_rules() -> None:
    made = yaml.load((FOLDER / "alerts" / "prometheusrule.yaml").read_text(), yaml.CSafeLoader)
    groups = [group for file in (*RULES, *ALERTS) for group in read(file)["groups"]]
    assert made["spec"]["groups"] == groups, "sh scripts/rules"


# -- secrets ----------------------------------------------------------------------------------------------


def test_each_secret_comes_from_where_it_is_kept(with_components: Any) -> None:
    manifests = with_components("external-secrets")
    made = {
        own["spec"]["target"]["name"]: own["spec"] for own in of_kind(manifests, "ExternalSecret").values()
    }
    wanted: dict[str, set[str]] = {own.name: set(own.keys) for own in Placement().secrets}
    for pod, container in containers(manifests):
        for variable in container.get("env", []):
            if key := variable.get("valueFrom", {}).get("secretKeyRef"):
                wanted.setdefault(key["name"], set()).add(key["key"])
        for volume in pod["volumes"]:
            if secret := volume.get("secret"):
                wanted.setdefault(secret["secretName"], set()).update(
                    item["key"] for item in secret.get("items", [])
                )
    wanted["retrieval-api-keys"] = {Path(variables(manifests, "retrieval")[settings.API_KEYS_FILE.name]).name}
    assert made.keys() == wanted.keys()
    for name, spec in made.items():
        if "dataFrom" in spec:  # all keys that there are
            assert spec["dataFrom"] == [{"extract": {"key": f"taxohash/{name}"}}]
        else:
            assert {own["secretKey"] for own in spec["data"]} == wanted[name]
            assert {(own["remoteRef"]["key"], own["remoteRef"]["property"]) for own in spec["data"]} == {
                (f"taxohash/{name}", key) for key in wanted[name]
            }
    assert "dataFrom" in made[PICTURES.name]


def test_whoever_loads_a_generation_has_the_keys_that_steps_have(with_components: Any) -> None:
    manifests = with_components("signing", "canary")
    (key,) = VERIFYING.keys
    for name in ("retrieval", "retrieval-canary", "backfill"):
        container = container_of(manifests, name)
        (variable,) = (own for own in container["env"] if own["name"] == settings.VERIFY_KEY.name)
        assert variable["valueFrom"] == {"configMapKeyRef": {"name": VERIFYING.name, "key": key}}
        (mount,) = (own for own in container["volumeMounts"] if own["mountPath"] == VERIFYING_MOUNT)
        assert mount["readOnly"]
        assert "subPath" not in mount
        (volume,) = (own for own in pods(manifests)[name]["spec"]["volumes"] if own["name"] == mount["name"])
        assert volume["configMap"] == {"name": VERIFYING.name}


def test_writes_are_by_the_writer(with_components: Any) -> None:
    (variable,) = (
        own
        for own in container_of(with_components("writes"), "retrieval")["env"]
        if own["name"] == settings.REDIS_URL.name
    )
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "codestore-writer", "key": "url"}}


def test_every_component_is_told_of() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "manifests").rglob("*.md"))
    told = set(re.findall(r"^\| `([a-z0-9-]+)`|components/([a-z0-9-]+)", pages, re.MULTILINE))
    there = {file.parent.name for file in FOLDER.glob("*/kustomization.yaml")}
    assert there <= {name for row in told for name in row}
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", (FOLDER / "README.md").read_text(), re.MULTILINE)) <= there
