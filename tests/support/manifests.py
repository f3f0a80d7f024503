"""The overlays as kubectl renders them, and what their network policies let through."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
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
    """What kubectl makes of a folder of manifests; it is asked once."""
    return list(yaml.load_all(_rendered(folder), yaml.CSafeLoader))


@cache
def _rendered(folder: str) -> str:
    words = [str(KUBECTL), "kustomize", str(ROOT / "manifests" / folder)]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] in kinds}


def template_of(manifest: Manifest) -> Manifest | None:
    """The pods that an object has made, if it is one that does."""
    if manifest["kind"] == "CronJob":
        manifest = manifest["spec"]["jobTemplate"]
    elif manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        return None
    template: Manifest = manifest["spec"]["template"]
    return template


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the name of their workload."""
    made = [(m["metadata"]["name"], pod) for m in manifests if (pod := template_of(m)) is not None]
    found = dict(made)
    assert len(found) == len(made), "two workloads have one name"
    return found


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
        labels: of the pod; None where it is none.
        namespace: labels of its namespace; None for the one of the policies.
        address: of what is no pod.
    """

    labels: Labels | None = None
    namespace: Labels | None = None
    address: str = "203.0.113.1"


OUTSIDE = Peer()


@dataclass(frozen=True)
class Port:
    """Where a connection goes: the number, its name in the pod that listens if it has one, and the protocol."""

    number: int
    name: str = ""
    protocol: str = "TCP"


def allowed(manifests: list[Manifest], source: Peer, target: Peer, port: int, name: str = "") -> bool:
    """Whether the policies of a namespace let one end open a connection to the other.

    Args:
        name: of the port, where the target has one.
    """
    return lets(list(of_kind(manifests, "NetworkPolicy").values()), source, target, Port(port, name))


def lets(policies: list[Manifest], source: Peer, target: Peer, port: Port) -> bool:
    """As `allowed`, for any protocol."""
    return _passes(policies, "Egress", source, target, port) and _passes(
        policies, "Ingress", target, source, port
    )


def _passes(policies: list[Manifest], way: str, own: Peer, other: Peer, port: Port) -> bool:
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


def _port(rule: Manifest, port: Port) -> bool:
    return "ports" not in rule or any(
        found.get("protocol", "TCP") == port.protocol and _within(found, port) for found in rule["ports"]
    )


def _within(found: Manifest, port: Port) -> bool:
    first: Any = found.get("port", port.number)
    if isinstance(first, str):
        return first == port.name
    last: Any = found.get("endPort", first)
    return bool(first <= port.number <= last)


def _is(peer: Manifest, other: Peer) -> bool:
    if block := peer.get("ipBlock"):
        address = ip_address(other.address)
        return (
            other.labels is None
            and address in ip_network(block["cidr"])
            and not any(address in ip_network(hole) for hole in block.get("except", []))
        )
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
    return bool(wanted <= dict(labels).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Manifest, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
    raise ValueError(f"{expression['operator']} is no operator of a selector")
