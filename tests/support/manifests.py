"""The overlays as kubectl renders them, and what their network policies let through."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "staging", "production")
KUBECTL = Path(sys.executable).parent / "kubectl"

Manifest = dict[str, Any]
Labels = Mapping[str, str]


def render(overlay: str) -> list[Manifest]:
    return render_folder(f"overlays/{overlay}")


def render_folder(folder: str) -> list[Manifest]:
    """What kubectl makes of a folder of manifests."""
    words = [str(KUBECTL), "kustomize", str(ROOT / "manifests" / folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] in kinds}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the name of their workload."""
    workloads = of_kind(manifests, "Deployment", "StatefulSet")
    return {name: workload["spec"]["template"] for name, workload in workloads.items()}


def containers(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Every container with the spec of its pod."""
    for pod in pods(manifests).values():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            yield pod["spec"], container


def container_of(manifests: list[Manifest], name: str) -> Manifest:
    """The one container of a workload."""
    (container,) = pods(manifests)[name]["spec"]["containers"]
    found: Manifest = container
    return found


def variables(manifests: list[Manifest], name: str) -> dict[str, str]:
    """What a workload's container gets from ConfigMaps and as it stands."""
    container = container_of(manifests, name)
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= of_kind(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return found | {own["name"]: own["value"] for own in container.get("env", []) if "value" in own}


# -- network policies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod, here or in another namespace, or an address outside of the cluster.

    Attributes:
        labels: of the pod; None outside of the cluster.
        namespace: labels of its namespace; None for the one of the policies.
    """

    labels: Labels | None = None
    namespace: Labels | None = None


OUTSIDE = Peer()


def allowed(manifests: list[Manifest], source: Peer, target: Peer, port: int, name: str = "") -> bool:
    """Whether the policies of a namespace let one end open a connection to the other.

    Args:
        name: of the port, where the target has one.
    """
    policies = list(of_kind(manifests, "NetworkPolicy").values())
    return _passes(policies, "Egress", source, target, (port, name)) and _passes(
        policies, "Ingress", target, source, (port, name)
    )


def _passes(policies: list[Manifest], way: str, own: Peer, other: Peer, port: tuple[int, str]) -> bool:
    """Whether one end lets the connection out, or in: all may where no policy selects it, else what one of them says."""
    if own.labels is None or own.namespace is not None:
        return True  # not for these policies to say
    specs = [policy["spec"] for policy in policies]
    specs = [s for s in specs if way in s["policyTypes"] and selects(s["podSelector"], own.labels)]
    key, side = ("egress", "to") if way == "Egress" else ("ingress", "from")
    rules = [rule for spec in specs for rule in spec.get(key, [])]
    return not specs or any(
        _port(rule, port) and (side not in rule or any(_is(peer, other) for peer in rule[side]))
        for rule in rules
    )


def _port(rule: Manifest, port: tuple[int, str]) -> bool:
    return "ports" not in rule or any(found["port"] in port for found in rule["ports"])


def _is(peer: Manifest, other: Peer) -> bool:
    if "ipBlock" in peer:
        return other.labels is None
    if other.labels is None:
        return False
    if "namespaceSelector" in peer:
        within = selects(peer["namespaceSelector"], other.namespace or {})
    else:
        within = other.namespace is None
    return within and selects(peer.get("podSelector", {}), other.labels)


def selects(selector: Manifest, labels: Labels) -> bool:
    """Whether a selector is that of these labels."""
    wanted = selector.get("matchLabels", {}).items()
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "Exists"  # the only one that is used
        if expression["key"] not in labels:
            return False
    return bool(wanted <= dict(labels).items())
