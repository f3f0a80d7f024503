"""Ports and paths: where a connection is led, somebody listens, and knows the path."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from services import settings
from tests.support.manifests import ROOT, Manifest, selects
from tests.support.references.known import ANSWERED, ANSWERED_BY_IMAGE, HOSTS, PATHS
from tests.support.references.rendering import Pod, Rendered, named
from tests.support.references.selected import service_pods

URL = re.compile(r"\b(?:https?|rediss?)://[^\s'\"]+")
ALERTMANAGER = ROOT / "manifests" / "monitoring" / "alertmanager.yaml"
MONITORS = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}


def known(container: Manifest) -> set[str] | None:
    """The paths of a service of the project, whatever the method; None for another program."""
    for word, paths in PATHS.items():
        if word in _command(container):
            return paths
    return None


def answered(container: Manifest) -> set[str] | None:
    """The paths that a container's program has; None for one that is not known."""
    for word, paths in ANSWERED.items():
        if word in _command(container):
            return set(paths)
    for word, paths in ANSWERED_BY_IMAGE.items():
        if word in container["image"]:
            return set(paths)
    return None


def ours(container: Manifest) -> bool:
    """Whether a container's program is one of the project's services."""
    return any(word in _command(container) for word in ANSWERED)


def _command(container: Manifest) -> str:
    return " ".join(container.get("command", []) + container.get("args", []))


def _listens(pod: Pod, port: str | int) -> Manifest | None:
    """The container of a pod that has the port, by its name or number."""
    for container in pod.containers:
        if any(port in (own.get("name"), own["containerPort"]) for own in container.get("ports", [])):
            return container
    return None


def containers(rendered: Rendered) -> Iterator[str]:
    """Ports have names and numbers of their own, and are those that the program is told."""
    for pod in rendered.pods:
        for key in ("name", "containerPort"):
            found = [port[key] for port in pod.ports if key in port]
            if len(set(found)) < len(found):
                yield f"{pod.owner}: two ports have one {key}"
        for container in pod.containers:
            own = {port["containerPort"] for port in container.get("ports", [])}
            for told in _told(rendered, pod, container):
                if told not in own:
                    yield f"{pod.named(container)} listens on {told}, which is none of its ports"
            if own and ours(container) and not set(_told(rendered, pod, container)):
                yield f"{pod.named(container)} is not told on which port to listen"


def _told(rendered: Rendered, pod: Pod, container: Manifest) -> Iterator[int]:
    """Ports of the options that a program is started with, and of the configuration that a server mounts."""
    yield from map(int, re.findall(r"--(?:tls-)?port[ =](\d+)", _command(container)))
    for text in rendered.files(pod, container).values():
        yield from (int(port) for port in re.findall(r"^(?:tls-)?port (\d+)$", text, re.M) if port != "0")


def probes(rendered: Rendered) -> Iterator[str]:
    """A probe asks a port of its container for a path that the program has."""
    for pod in rendered.pods:
        for container in pod.containers:
            own, paths = pod.named(container), answered(container)
            handlers = {kind: container[kind] for kind in container if kind.endswith("Probe")}
            handlers |= container.get("lifecycle", {})
            for kind, handler in handlers.items():
                for way in ("httpGet", "tcpSocket"):
                    asked = handler.get(way)
                    if asked and _listens(Pod("", {}, {"containers": [container]}), asked["port"]) is None:
                        yield f"{own}: its {kind} asks port {asked['port']}, which it does not have"
                if "httpGet" in handler and (path := handler["httpGet"].get("path", "/")) not in (
                    paths or ()
                ):
                    yield f"{own}: its {kind} asks for {path}, which its program does not answer"


def services(rendered: Rendered) -> Iterator[str]:
    """Every pod to which a Service leads has the ports."""
    for service in rendered.of("Service").values():
        for port in service["spec"].get("ports", []):
            target = port.get("targetPort", port["port"])
            for pod in service_pods(rendered, service):
                if _listens(pod, target) is None:
                    yield f"{named(service)}: {pod.owner} has no port {target}"


def monitors(rendered: Rendered) -> Iterator[str]:
    """What Prometheus is told to ask is there, at a port and a path that answer."""
    for kind, key in MONITORS.items():
        for monitor in rendered.of(kind).values():
            own, selector = named(monitor), monitor["spec"]["selector"]
            asked = list(_asked(rendered, kind, selector))
            if not asked:
                yield f"{own} selects no {kind.removesuffix('Monitor')}"
            for endpoint in monitor["spec"][key]:
                for where, pod, ports in asked:
                    path = endpoint.get("path", "/metrics")
                    if endpoint["port"] not in ports:
                        yield f"{own}: {where} has no port {endpoint['port']}"
                    elif (program := _listens(pod, ports[endpoint["port"]])) and path not in (
                        answered(program) or ()
                    ):
                        yield f"{own}: {pod.named(program)} does not answer {path}"


def _asked(
    rendered: Rendered, kind: str, selector: Manifest
) -> Iterator[tuple[str, Pod, dict[str, str | int]]]:
    """What a monitor selects, the pods behind it, and their ports by the names that the monitor knows."""
    if kind == "PodMonitor":
        for pod in rendered.pods:
            if selects(selector, pod.labels):
                yield pod.owner, pod, {port["name"]: port["name"] for port in pod.ports if "name" in port}
        return
    for service in rendered.of("Service").values():
        if selects(selector, service["metadata"].get("labels", {})):
            ports = {
                p["name"]: p.get("targetPort", p["port"]) for p in service["spec"]["ports"] if "name" in p
            }
            for pod in service_pods(rendered, service):
                yield named(service), pod, ports


def _service_fault(rendered: Rendered, name: str, port: str | int | None) -> str:
    """What is wrong with a way to a Service: nothing, if it is there and has the port."""
    service = rendered.of("Service").get(name)
    if service is None:
        return f"there is no Service {name}"
    ports = service["spec"]["ports"]
    if port is not None and not any(port in (own["port"], own.get("name")) for own in ports):
        return f"{named(service)} has no port {port}"
    return ""


def ways_in(rendered: Rendered) -> Iterator[str]:
    """An Ingress or HTTPRoute leads to ports of Services; a route hangs at a listener of a Gateway that is there."""
    for ingress in rendered.of("Ingress").values():
        backends = [
            path["backend"] for rule in ingress["spec"].get("rules", []) for path in rule["http"]["paths"]
        ]
        backends += [ingress["spec"]["defaultBackend"]] if "defaultBackend" in ingress["spec"] else []
        for backend in backends:
            service = backend["service"]
            port = service["port"].get("name", service["port"].get("number"))
            if fault := _service_fault(rendered, service["name"], port):
                yield f"{named(ingress)}: {fault}"
        for path in (path for rule in ingress["spec"].get("rules", []) for path in rule["http"]["paths"]):
            if not _leads(rendered, path["backend"]["service"]["name"], path["path"]):
                yield f"{named(ingress)}: nobody answers below {path['path']}"
        hosts = {rule.get("host") for rule in ingress["spec"].get("rules", [])}
        for tls in ingress["spec"].get("tls", []):
            for host in set(tls.get("hosts", [])) - hosts:
                yield f"{named(ingress)} has a certificate for {host}, for which it has no rule"
    for route in rendered.of("HTTPRoute").values():
        for fault in _route(rendered, route):
            yield f"{named(route)}: {fault}"


def _leads(rendered: Rendered, service: str, path: str) -> bool:
    """Whether the programs behind a Service answer at a path or below it; so they do where that is looked for elsewhere."""
    pods = service_pods(rendered, rendered.of("Service").get(service, {"spec": {}}))
    programs = [own for pod in pods for container in pod.containers if (own := known(container)) is not None]
    return not programs or all(
        any(own == path or own.startswith(f"{path.rstrip('/')}/") for own in program) for program in programs
    )


def _route(rendered: Rendered, route: Manifest) -> Iterator[str]:
    for parent in route["spec"].get("parentRefs", []):
        if "namespace" in parent:
            continue  # which is another's
        gateway = rendered.of("Gateway").get(parent["name"])
        if gateway is None:
            yield f"there is no Gateway {parent['name']}"
            continue
        listeners = {listener["name"] for listener in gateway["spec"]["listeners"]}
        if parent.get("sectionName") not in {None, *listeners}:
            yield f"{named(gateway)} has no listener {parent['sectionName']}"
    for rule in route["spec"].get("rules", []):
        mirrors = [f["requestMirror"]["backendRef"] for f in rule.get("filters", []) if "requestMirror" in f]
        for match in rule.get("matches", []):
            path = match.get("path", {}).get("value", "/")
            if not all(_leads(rendered, backend["name"], path) for backend in rule.get("backendRefs", [])):
                yield f"nobody answers below {path}"
        for backend in rule.get("backendRefs", []) + mirrors:
            if fault := _service_fault(rendered, backend["name"], backend.get("port")):
                yield fault


def scaled(rendered: Rendered) -> Iterator[str]:
    """What scales has something to scale, that nothing else scales and that says no number itself."""
    targets: list[tuple[str, str]] = []
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in rendered.of(kind).values():
            target = scaler["spec"]["scaleTargetRef"]
            kind_of_it = target.get("kind", "Deployment")
            workload = rendered.of(kind_of_it).get(target["name"])
            if workload is None or target.get("apiVersion", "apps/v1") != workload["apiVersion"]:
                yield f"{named(scaler)}: there is no {kind_of_it} {target['name']}"
                continue
            if "replicas" in workload["spec"]:
                yield f"{named(workload)} has replicas, which {named(scaler)} decides about"
            if (kind_of_it, target["name"]) in targets:
                yield f"{named(workload)} is scaled by two"
            targets.append((kind_of_it, target["name"]))
            own = {c["name"] for c in workload["spec"]["template"]["spec"]["containers"]}
            for metric in scaler["spec"].get("metrics", []):
                if (wanted := metric.get("containerResource", {}).get("container")) and wanted not in own:
                    yield f"{named(scaler)}: {named(workload)} has no container {wanted}"
            for trigger in scaler["spec"].get("triggers", []):
                if (reference := trigger.get("authenticationRef")) and reference["name"] not in rendered.of(
                    reference.get("kind", "TriggerAuthentication")
                ):
                    yield f"{named(scaler)}: there is no TriggerAuthentication {reference['name']}"


def addresses(rendered: Rendered) -> Iterator[str]:
    """Addresses inside the cluster, wherever they stand, are those of Services."""
    namespace = next(
        (m["metadata"]["namespace"] for m in rendered.manifests if "namespace" in m["metadata"]), ""
    )
    for where, text in _texts(rendered):
        for url in URL.findall(text):
            parts = urlsplit(url)
            words = (parts.hostname or "").split(".")
            inside = len(words) == 1 or words[2:3] == ["svc"] or (len(words) == 2 and words[1] == namespace)
            if not inside or words[0] in ("localhost", ""):
                continue
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 6379)
            if len(words) > 1 and words[1] != namespace:
                if HOSTS.get(".".join(words[:2])) != port:
                    yield f"{where}: nothing is known at {parts.hostname}:{port}"
            elif fault := _service_fault(rendered, words[0], port):
                yield f"{where}: {fault}"


def store(rendered: Rendered) -> Iterator[str]:
    """The host of the code store that programs are told is one of its Services, where it lies in the cluster."""
    here = any(
        port.get("name") == "redis"
        for own in rendered.of("Service").values()
        for port in own["spec"]["ports"]
    )
    for pod in rendered.pods:
        for container in pod.containers:
            host = rendered.environment(container).get(settings.CODESTORE.name, "")
            if here and host and "." not in host and (fault := _service_fault(rendered, host, "redis")):
                yield f"{pod.named(container)}: {fault}"


def _texts(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """What programs are told, Alertmanager among them, with where it stands."""
    yield "alertmanager.yaml", ALERTMANAGER.read_text(encoding="utf-8")
    for config in rendered.of("ConfigMap").values():
        if "grafana_dashboard" not in config["metadata"].get("labels", {}):
            for key, text in config.get("data", {}).items():
                yield f"{named(config)}, {key}", text
    for pod in rendered.pods:
        for container in pod.containers:
            for variable in container.get("env", []):
                yield f"{pod.named(container)}, {variable['name']}", variable.get("value", "")
            yield pod.named(container), _command(container)
    for scaler in rendered.of("ScaledObject").values():
        for trigger in scaler["spec"].get("triggers", []):
            yield named(scaler), str(trigger.get("metadata", {}).get("serverAddress", ""))
