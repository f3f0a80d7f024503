"""NetworkPolicies: each pod is let through, at both ends, to what it uses; and what is asked is let in."""

from collections.abc import Iterator, Mapping

from services import settings
from tests.support.manifests import OUTSIDE, Manifest, Peer, Port, lets, selects
from tests.support.references.known import (
    CLIENT,
    DNS,
    ELSEWHERE,
    KUBEFLOW,
    LOCAL_DNS,
    PLACEMENT,
    PROMETHEUS,
    STEP,
    UNRENDERED,
)
from tests.support.references.ports import MONITORS, _asked
from tests.support.references.rendering import Pod, Rendered, named
from tests.support.references.selected import service_pods

SERVICES = ("retrieval", "trigger")
STORE = {settings.REDIS_URL.name, settings.ADMIN_REDIS_URL.name}
BUCKET = {settings.PICTURES.name, settings.GENERATIONS.name, settings.NOTIFY_URL.name}
NAMES = (("DNS", DNS, 53, "UDP"), ("DNS", DNS, 53, "TCP"), ("the DNS of its node", LOCAL_DNS, 53, "UDP"))


def pods(rendered: Rendered) -> Iterator[str]:
    """Pods reach the store, the bucket and Kubeflow if a variable names them, and then DNS; those of pipelines too."""
    for pod in rendered.pods:
        names = {name for container in pod.containers for name in _names(rendered, container)}
        yield from _reaches(rendered, pod.owner, pod.labels, names)
    names = {name for secret in PLACEMENT.secrets for name in secret.keys.values()}
    yield from _reaches(rendered, "a step of a pipeline", STEP, names | {settings.KF_PIPELINES_ENDPOINT.name})
    for owner, labels in UNRENDERED.items():
        yield from _resolves(rendered, owner, labels)


def _names(rendered: Rendered, container: Manifest) -> Iterator[str]:
    """Variables of a container that have a value, secret or not."""
    given = rendered.environment(container)
    yield from (name for name, value in given.items() if value and not value.startswith("/"))  # a folder
    for variable in container.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            yield variable["name"]
    for source in container.get("envFrom", []):
        for secret in PLACEMENT.secrets:
            if source.get("secretRef", {}).get("name") == secret.name:
                yield from (name for name in secret.keys.values() if name not in given)


def _reaches(rendered: Rendered, owner: str, labels: Mapping[str, str], names: set[str]) -> Iterator[str]:
    policies, own = list(rendered.of("NetworkPolicy").values()), Peer(labels)
    if names & STORE:
        for target, port in stores(rendered):
            if not lets(policies, own, target, port):
                yield f"{owner} does not reach the code store"
    if names & BUCKET and not lets(policies, own, OUTSIDE, Port(443)):
        yield f"{owner} does not reach the bucket"
    if settings.KF_PIPELINES_ENDPOINT.name in names and not lets(policies, own, KUBEFLOW, Port(8888)):
        yield f"{owner} does not reach Kubeflow"
    if names & (STORE | BUCKET | {settings.KF_PIPELINES_ENDPOINT.name}):
        yield from _resolves(rendered, owner, labels)


def _resolves(rendered: Rendered, owner: str, labels: Mapping[str, str]) -> Iterator[str]:
    policies = list(rendered.of("NetworkPolicy").values())
    for name, target, port, protocol in NAMES:
        if not lets(policies, Peer(labels), target, Port(port, "", protocol)):
            yield f"{owner} does not reach {name} over {protocol}"


def names(rendered: Rendered) -> Iterator[str]:
    """A policy that lets pods ask for names lets them by itself, whatever others do: not all pods have both labels."""
    for policy in rendered.of("NetworkPolicy").values():
        asked = [
            port.get("port") for rule in policy["spec"].get("egress", []) for port in rule.get("ports", [])
        ]
        known = [pod.labels for pod in rendered.pods] + [*UNRENDERED.values(), CLIENT]
        own = next((labels for labels in known if selects(policy["spec"]["podSelector"], labels)), None)
        for name, target, port, protocol in NAMES if 53 in asked and own is not None else ():
            if not lets([_outgoing(policy)], Peer(own), target, Port(port, "", protocol)):
                yield f"{named(policy)} does not lead to {name} over {protocol}"


def _outgoing(policy: Manifest) -> Manifest:
    return {**policy, "spec": {**policy["spec"], "policyTypes": ["Egress"]}}


def clients(rendered: Rendered) -> Iterator[str]:
    """Who calls a service is let in: pods of namespaces with its label, and of this one."""
    policies = list(rendered.of("NetworkPolicy").values())
    for name in SERVICES:
        label = {f"taxohash/{name}": "client"}
        for pod in service_pods(rendered, rendered.of("Service").get(name, {"spec": {}})):
            port = _port(pod, "http")
            if port and not lets(policies, Peer({}, label), Peer(pod.labels), port):
                yield f"{pod.owner} lets nobody in from a namespace with the label taxohash/{name}"
            if port and name == "retrieval" and not lets(policies, Peer(CLIENT), Peer(pod.labels), port):
                yield f"{pod.owner} does not let in a pod with the label taxohash/{name}"


def stores(rendered: Rendered) -> list[tuple[Peer, Port]]:
    """Where the code store listens: its pods, or the address that stands for yours where there are none."""
    found = [
        (Peer(pod.labels), Port(port["containerPort"], port["name"]))
        for pod in rendered.pods
        for port in pod.ports
        if port.get("name") == "redis"
    ]
    return found or [(ELSEWHERE, Port(6379))]


def monitored(rendered: Rendered) -> Iterator[str]:
    """Prometheus is let in wherever it is told to ask."""
    policies = list(rendered.of("NetworkPolicy").values())
    for kind, key in MONITORS.items():
        for monitor in rendered.of(kind).values():
            for endpoint in monitor["spec"][key]:
                for _, pod, ports in _asked(rendered, kind, monitor["spec"]["selector"]):
                    port = _port(pod, ports.get(endpoint["port"]))
                    if port and not lets(policies, PROMETHEUS, Peer(pod.labels), port):
                        yield f"{pod.owner} does not let Prometheus in at its port {endpoint['port']}"


def _port(pod: Pod, wanted: str | int | None) -> Port | None:
    for port in pod.ports:
        if wanted in (port.get("name"), port["containerPort"]):
            return Port(port["containerPort"], port.get("name", ""))
    return None


def closed(rendered: Rendered) -> Iterator[str]:
    """Nothing is open that no policy names: strangers reach no store, and nobody leaves who was not let."""
    policies, stranger = list(rendered.of("NetworkPolicy").values()), Peer({"app": "stranger"})
    for target, port in stores(rendered):
        if target is not ELSEWHERE:
            for other in (stranger, OUTSIDE, KUBEFLOW):
                if lets(policies, other, target, port):
                    yield "the code store is open to strangers"
    if lets(policies, stranger, OUTSIDE, Port(443)):
        yield "a pod without labels leaves the cluster"
