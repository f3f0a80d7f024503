"""Labels: what selects pods or Services selects some, and those that it is for."""

from collections.abc import Iterator, Mapping

from tests.support.manifests import Manifest, selects
from tests.support.references.known import CLIENT, UNRENDERED
from tests.support.references.rendering import Pod, Rendered, named

Labels = Mapping[str, str]


def service_pods(rendered: Rendered, service: Manifest) -> list[Pod]:
    """Those to which a Service leads."""
    wanted = service["spec"].get("selector")
    return [pod for pod in rendered.pods if wanted and selects({"matchLabels": wanted}, pod.labels)]


def workloads(rendered: Rendered) -> Iterator[str]:
    """A workload has pods that are its own, and no other's."""
    for manifest in rendered.manifests:
        if manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
            continue
        own, selector = named(manifest), manifest["spec"]["selector"]
        found = {pod.owner for pod in rendered.pods if selects(selector, pod.labels)}
        if own not in found:
            yield f"{own} does not select its own pods"
        for other in sorted(found - {own}):
            yield f"{own} selects the pods of {other}"


def services(rendered: Rendered) -> Iterator[str]:
    """A Service leads to pods, and a StatefulSet's own to its pods."""
    for service in rendered.of("Service").values():
        if service["spec"].get("type") != "ExternalName" and not service_pods(rendered, service):
            yield f"{named(service)} selects no pod"
    for workload in rendered.of("StatefulSet").values():
        own, name = named(workload), workload["spec"].get("serviceName")
        if name not in rendered.of("Service"):
            yield f"{own}: there is no Service {name}"
        elif own not in {pod.owner for pod in service_pods(rendered, rendered.of("Service")[name])}:
            yield f"{own}: Service {name} does not lead to its pods"
        elif rendered.of("Service")[name]["spec"].get("clusterIP") != "None":
            yield f"{own}: Service {name} has an address of its own, so its pods have no names"


def budgets(rendered: Rendered) -> Iterator[str]:
    for budget in rendered.of("PodDisruptionBudget").values():
        if not any(selects(budget["spec"]["selector"], pod.labels) for pod in rendered.pods):
            yield f"{named(budget)} selects no pod"


def spread(rendered: Rendered) -> Iterator[str]:
    """Pods are kept apart from their own kind, and near to pods that there are."""
    for pod in rendered.pods:
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not selects(constraint["labelSelector"], pod.labels):
                yield f"{pod.owner} spreads pods that are not its own"
        for kind in ("podAffinity", "podAntiAffinity"):
            for term in _terms(pod.spec.get("affinity", {}).get(kind, {})):
                if not any(selects(term["labelSelector"], other.labels) for other in rendered.pods):
                    yield f"{pod.owner}: its {kind} selects no pod"


def _terms(affinity: Manifest) -> list[Manifest]:
    soft = affinity.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    hard: list[Manifest] = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    return hard + [term["podAffinityTerm"] for term in soft]


def policies(rendered: Rendered) -> Iterator[str]:
    """A NetworkPolicy is for pods that there are, names others that there are, and ports that those have."""
    for policy in rendered.of("NetworkPolicy").values():
        own, spec = named(policy), policy["spec"]
        mine = _ports_of_selected(rendered, spec["podSelector"])
        if mine is None:
            yield f"{own} is for no pod"
        for way, side in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(way, []):
                theirs: set[str] = set()
                for peer in rule.get(side, []):
                    if "podSelector" not in peer or "namespaceSelector" in peer:
                        continue
                    found = _ports_of_selected(rendered, peer["podSelector"])
                    if found is None:
                        yield f"{own}: its {way} names no pod that there is"
                    theirs |= found or set()
                listening = (mine or set()) if way == "ingress" else theirs
                for port in rule.get("ports", []):
                    if isinstance(port.get("port"), str) and port["port"] not in listening:
                        yield f"{own}: no pod of its {way} has a port {port['port']}"


def _ports_of_selected(rendered: Rendered, selector: Manifest) -> set[str] | None:
    """Names of the ports of the pods that a selector selects; None where it selects none, rendered or not."""
    found = [pod for pod in rendered.pods if selects(selector, pod.labels)]
    if not found and not any(selects(selector, labels) for labels in (*UNRENDERED.values(), CLIENT)):
        return None
    return {port["name"] for pod in found for port in pod.ports if "name" in port}
