"""What pods are given: ConfigMaps, Secrets and their keys, claims, volumes, files, accounts and priorities."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pipelines.shared.placement import AUTHORITY_MOUNT, VERIFYING, VERIFYING_MOUNT, FromObject
from tests.support.manifests import Manifest
from tests.support.references.known import GIVEN, PLACEMENT, SECRETS_OF_CERTIFICATES, made
from tests.support.references.rendering import Pod, Rendered, named

# Places in which nothing lies but what is mounted there.
PLACE = re.compile(r"(?<![\w/.{}$*-])/(?:etc|var|tmp|work|data|backups)(?:/[\w.*-]+)*")
Keys = Mapping[str, frozenset[str]]


def made_secrets(rendered: Rendered) -> Keys:
    """Keys of the Secrets that there are: those that users are told to make, and those that others make for them."""
    found = dict(made("Secret"))
    for external in rendered.of("ExternalSecret").values():
        name = external["spec"].get("target", {}).get("name", external["metadata"]["name"])
        if "dataFrom" not in external["spec"]:  # else it has what the entry has, as the user is told
            found[name] = frozenset(one["secretKey"] for one in external["spec"]["data"])
    for name in rendered.of("Secret"):
        found[name] = frozenset(rendered.open_data(name))
    for certificate in rendered.of("Certificate").values():
        found[certificate["spec"]["secretName"]] = SECRETS_OF_CERTIFICATES
    return found


def _of_kind(rendered: Rendered, kind: str) -> Keys:
    if kind == "Secret":
        return made_secrets(rendered)
    return {**made(kind), **{name: frozenset(rendered.data(name)) for name in rendered.of(kind)}}


def _fault(rendered: Rendered, kind: str, name: str, key: str | None = None) -> str:
    """What is wrong with a reference to a ConfigMap or Secret, or a key of it: nothing, if it is there."""
    there = _of_kind(rendered, kind)
    if name not in there:
        return "" if name in GIVEN[kind] else f"there is no {kind} {name}"
    return "" if key is None or key in there[name] else f"{kind} {name} has no key {key}"


def variables(rendered: Rendered) -> Iterator[str]:
    """Variables come from ConfigMaps, Secrets, fields and containers that there are."""
    for pod in rendered.pods:
        for container in pod.containers:
            for fault in _variables(rendered, pod, container):
                yield f"{pod.named(container)}: {fault}"


def _variables(rendered: Rendered, pod: Pod, container: Manifest) -> Iterator[str]:
    for source in container.get("envFrom", []):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source and (fault := _fault(rendered, kind, source[key]["name"])):
                yield fault
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if own := source.get(key):
                wanted = (
                    None if own.get("optional") and kind == "ConfigMap" else own["key"]
                )  # which components add
                if fault := _fault(rendered, kind, own["name"], wanted):
                    yield f"{variable['name']}: {fault}"
        name = source.get("resourceFieldRef", {}).get("containerName", container["name"])
        if name not in {own["name"] for own in pod.containers}:
            yield f"{variable['name']}: the pod has no container {name}"
        if field := source.get("resourceFieldRef", {}).get("resource"):
            bound, _, resource = field.partition(".")
            if resource not in container["resources"].get(bound, {}):
                yield f"{variable['name']}: the container has no {field}"


def volumes(rendered: Rendered) -> Iterator[str]:
    """Volumes are of what there is, each is mounted, and nothing else is."""
    for pod in rendered.pods:
        own = {volume["name"] for volume in pod.spec.get("volumes", [])} | set(pod.claims)
        mounted: set[str] = set()
        for container in pod.containers:
            mounts = container.get("volumeMounts", [])
            places = [mount["mountPath"] for mount in mounts]
            if len(set(places)) < len(places):
                yield f"{pod.named(container)} mounts two volumes at one place"
            for name in sorted({mount["name"] for mount in mounts} - own):
                yield f"{pod.named(container)}: there is no volume {name}"
            mounted |= {mount["name"] for mount in mounts}
        for name in sorted(own - mounted):
            yield f"{pod.owner}: no container mounts the volume {name}"
        for volume in pod.spec.get("volumes", []):
            for fault in _volume(rendered, volume):
                yield f"{pod.owner}, volume {volume['name']}: {fault}"


def _sources(volume: Manifest) -> Iterator[tuple[str, str, list[Manifest]]]:
    """The ConfigMaps and Secrets of a volume, with the keys that it wants of them."""
    for source in (volume, *volume.get("projected", {}).get("sources", [])):
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if own := source.get(key):
                yield kind, own.get("secretName") or own["name"], own.get("items", [])


def _volume(rendered: Rendered, volume: Manifest) -> Iterator[str]:
    for kind, name, items in _sources(volume):
        for key in [item["key"] for item in items] or [None]:
            if fault := _fault(rendered, kind, name, key):
                yield fault
    claim = volume.get("persistentVolumeClaim", {}).get("claimName")
    if claim is not None and claim not in rendered.of("PersistentVolumeClaim"):
        yield f"there is no PersistentVolumeClaim {claim}"


def files(rendered: Rendered) -> Iterator[str]:
    """Each file or folder that a program is told lies in what is mounted; of a Secret or ConfigMap it is a key."""
    for pod in rendered.pods:
        for container in pod.containers:
            for text in _words(rendered, pod, container):
                for place in PLACE.findall(text):
                    if fault := _place(rendered, pod, container, PurePosixPath(place)):
                        yield f"{pod.named(container)}: {fault}"


def _words(rendered: Rendered, pod: Pod, container: Manifest) -> Iterator[str]:
    yield from rendered.environment(container).values()
    yield from container.get("command", []) + container.get("args", [])
    for text in rendered.files(pod, container).values():
        yield "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _place(rendered: Rendered, pod: Pod, container: Manifest, place: PurePosixPath) -> str:
    mounts = {PurePosixPath(m["mountPath"]): m["name"] for m in container.get("volumeMounts", [])}
    at = next((own for own in (place, *place.parents) if own in mounts), None)
    if at is None:
        return f"nothing is mounted where {place} should lie"
    volume: Manifest = next((one for one in pod.spec.get("volumes", []) if one["name"] == mounts[at]), {})
    sources = list(_sources(volume))
    if place == at or not sources:
        return ""
    there: set[str] = set()
    for kind, name, items in sources:
        there |= {item["path"] for item in items} or set(_of_kind(rendered, kind).get(name, ()))
    there |= {
        s["serviceAccountToken"]["path"]
        for s in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in s
    }
    wanted = str(place.relative_to(at))
    return "" if wanted in there or "*" in wanted else f"what is mounted at {at} has no file {wanted}"


def common(rendered: Rendered) -> Iterator[str]:
    """What addresses in Secrets and steps of pipelines name by its place lies there in every pod."""
    places = {PLACEMENT.authority: AUTHORITY_MOUNT, VERIFYING.name: VERIFYING_MOUNT}
    for pod in rendered.pods:
        volumes = {one["name"]: one.get("configMap", {}).get("name") for one in pod.spec.get("volumes", [])}
        for container in pod.containers:
            for mount in container.get("volumeMounts", []):
                wanted = places.get(volumes.get(mount["name"]) or "", mount["mountPath"])
                if mount["mountPath"] != wanted:
                    yield f"{pod.named(container)}: the volume {mount['name']} is at {mount['mountPath']}, and looked for at {wanted}"


def external(rendered: Rendered) -> Iterator[str]:
    """An ExternalSecret makes a Secret that somebody would make by hand."""
    for own in rendered.of("ExternalSecret").values():
        if (name := own["spec"]["target"]["name"]) not in made("Secret"):
            yield f"{named(own)}: nobody is told of a Secret {name}"


def used(rendered: Rendered) -> Iterator[str]:
    """ConfigMaps, claims and accounts that are rendered are used by somebody."""
    for kind, names in _used(rendered).items():
        for name, manifest in rendered.of(kind).items():
            if name not in names and "grafana_dashboard" not in manifest["metadata"].get("labels", {}):
                yield f"{named(manifest)} is used by nobody"


def _used(rendered: Rendered) -> dict[str, set[str]]:
    placement = rendered.placement
    found: dict[str, set[str]] = {
        "ConfigMap": {own.name for own in placement.settings},
        "PersistentVolumeClaim": {placement.claim},
        "ServiceAccount": {placement.service_account}
        | {p.spec.get("serviceAccountName", "") for p in rendered.pods}
        | {own["name"] for binding in rendered.of("RoleBinding").values() for own in binding["subjects"]},
        "PriorityClass": {p.spec.get("priorityClassName", "") for p in rendered.pods},
    }
    for pod in rendered.pods:
        for container in pod.containers:
            for source in container.get("envFrom", []):
                found["ConfigMap"].add(source.get("configMapRef", {}).get("name", ""))
            for variable in container.get("env", []):
                found["ConfigMap"].add(
                    variable.get("valueFrom", {}).get("configMapKeyRef", {}).get("name", "")
                )
        for volume in pod.spec.get("volumes", []):
            found["ConfigMap"] |= {name for kind, name, _ in _sources(volume) if kind == "ConfigMap"}
            found["PersistentVolumeClaim"].add(volume.get("persistentVolumeClaim", {}).get("claimName", ""))
    return found


def accounts(rendered: Rendered) -> Iterator[str]:
    """Pods have accounts and priorities that there are; rights are given to accounts that there are, and all are given."""
    for pod in rendered.pods:
        if (account := pod.spec.get("serviceAccountName")) not in rendered.of("ServiceAccount"):
            yield f"{pod.owner}: there is no ServiceAccount {account}"
        priority = pod.spec.get("priorityClassName")
        if priority and priority not in {*rendered.of("PriorityClass"), *GIVEN["PriorityClass"]}:
            yield f"{pod.owner}: there is no PriorityClass {priority}"
    given: set[str] = set()
    for binding in rendered.of("RoleBinding").values():
        role = binding["roleRef"]
        given.add(role["name"])
        if role["name"] not in rendered.of(role["kind"]):
            yield f"{named(binding)}: there is no {role['kind']} {role['name']}"
        for subject in binding["subjects"]:
            there = rendered.of(subject["kind"]).get(subject["name"])
            if there is None:
                yield f"{named(binding)}: there is no {subject['kind']} {subject['name']}"
            elif subject.get("namespace") != there["metadata"].get("namespace"):
                yield f"{named(binding)}: {named(there)} is not in the namespace {subject.get('namespace')}"
    for role in rendered.of("Role").values():
        if role["metadata"]["name"] not in given:
            yield f"{named(role)} is given to nobody"
        for rule in role["rules"]:
            for resource, kind in (("configmaps", "ConfigMap"), ("secrets", "Secret")):
                if resource in rule["resources"]:
                    for name in rule.get("resourceNames", []):
                        if fault := _fault(rendered, kind, name):
                            yield f"{named(role)}: {fault}"


def certificates(rendered: Rendered) -> Iterator[str]:
    """Where TLS ends there is a Secret with a certificate."""
    for ingress in rendered.of("Ingress").values():
        for tls in ingress["spec"].get("tls", []):
            if fault := _fault(rendered, "Secret", tls["secretName"], "tls.crt"):
                yield f"{named(ingress)}: {fault}"
    for gateway in rendered.of("Gateway").values():
        for listener in gateway["spec"]["listeners"]:
            for reference in listener.get("tls", {}).get("certificateRefs", []):
                if fault := _fault(rendered, "Secret", reference["name"], "tls.crt"):
                    yield f"{named(gateway)}: {fault}"
    for authentication in rendered.of("TriggerAuthentication").values():
        for reference in authentication["spec"].get("secretTargetRef", []):
            if fault := _fault(rendered, "Secret", reference["name"], reference["key"]):
                yield f"{named(authentication)}: {fault}"


def steps(rendered: Rendered) -> Iterator[str]:
    """Pods of pipelines find what `pipelines/shared/placement.py` says, or who starts them otherwise."""
    own, placement = "pipelines/shared/placement.py", rendered.placement
    if placement.claim not in rendered.of("PersistentVolumeClaim"):
        yield f"{own}: there is no PersistentVolumeClaim {placement.claim}"
    if placement.service_account not in rendered.of("ServiceAccount"):
        yield f"{own}: there is no ServiceAccount {placement.service_account}"
    for kind, objects in (("Secret", placement.secrets), ("ConfigMap", placement.settings)):
        for fault in _objects(rendered, kind, objects):
            yield f"{own}: {fault}"
    for config in placement.settings:
        for key in sorted(set(rendered.data(config.name)) - set(config.keys)):
            yield f"{own} does not know the key {key} of ConfigMap {config.name}"


def _objects(rendered: Rendered, kind: str, objects: tuple[FromObject, ...]) -> Iterator[str]:
    for own in objects:
        for key in own.keys:
            if fault := _fault(rendered, kind, own.name, key):
                yield fault
