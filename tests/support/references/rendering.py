"""What is rendered, by kind and name, with every pod that it makes."""

import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cached_property
from itertools import pairwise

from pipelines.shared.placement import Placement
from services import settings
from tests.support.manifests import Manifest, template_of


@dataclass(frozen=True)
class Pod:
    """A pod that a workload makes.

    Attributes:
        owner: the workload, as it is named in sentences.
        claims: names of a StatefulSet's own claims.
    """

    owner: str
    labels: Mapping[str, str]
    spec: Manifest
    claims: tuple[str, ...] = ()

    @property
    def containers(self) -> list[Manifest]:
        """All that run in it, before or after it is ready."""
        found: list[Manifest] = self.spec.get("initContainers", []) + self.spec["containers"]
        return found

    @property
    def ports(self) -> list[Manifest]:
        return [port for container in self.containers for port in container.get("ports", [])]

    def named(self, container: Manifest) -> str:
        """A container in a sentence."""
        return f"{self.owner}, container {container['name']}"


class Rendered:
    """Manifests of one namespace, looked up by kind and name."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests
        self.kinds: dict[str, dict[str, Manifest]] = defaultdict(dict)
        for manifest in manifests:
            self.kinds[manifest["kind"]][manifest["metadata"]["name"]] = manifest
        self.pods = [pod for manifest in manifests if (pod := _pod(manifest))]

    def of(self, kind: str) -> dict[str, Manifest]:
        return self.kinds.get(kind, {})

    def data(self, config_map: str) -> dict[str, str]:
        """Of a ConfigMap, or nothing where there is none."""
        found: dict[str, str] = self.of("ConfigMap").get(config_map, {}).get("data", {})
        return found

    def open_data(self, secret: str) -> dict[str, str]:
        """Of a Secret that is rendered, as nothing in it is one."""
        found: dict[str, str] = self.of("Secret").get(secret, {}).get("data", {})
        return {key: b64decode(text).decode() for key, text in found.items()}

    def environment(self, container: Manifest) -> dict[str, str]:
        """What a container is given in ConfigMaps and as it stands; not what is secret."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            prefix = source.get("prefix", "")
            config, secret = source.get("configMapRef"), source.get("secretRef")
            own = self.data(config["name"]) if config else self.open_data(secret["name"])
            found |= {prefix + name: value for name, value in own.items()}
        for variable in container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = _filled(variable["value"], found)
            elif key := variable.get("valueFrom", {}).get("configMapKeyRef"):
                found[variable["name"]] = self.data(key["name"]).get(key["key"], "")
        return found

    def files(self, pod: Pod, container: Manifest) -> dict[str, str]:
        """Of ConfigMaps, by their places, those that a container's command names, and those that they name in turn."""
        mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
        there = {
            f"{mounts[volume['name']]}/{key}": text
            for volume in pod.spec.get("volumes", [])
            if volume["name"] in mounts and "configMap" in volume
            for key, text in self.data(volume["configMap"]["name"]).items()
        }
        found: dict[str, str] = {}
        texts = [*container.get("command", []), *container.get("args", [])]
        while texts:
            named = set(re.findall(r"/[\w./*-]+", texts.pop()))
            more = {place for place in there.keys() - found if any(fnmatch(place, one) for one in named)}
            found |= {place: there[place] for place in more}
            texts += [there[place] for place in more]
        return found

    @cached_property
    def placement(self) -> Placement:
        """How pods of pipelines are placed: as the code has it, but for the names that are told to the trigger."""
        placement = Placement()
        for pod in self.pods:
            for container in pod.containers:
                words = dict(
                    pairwise(self.environment(container).get(settings.TRIGGER_COMMAND.name, "").split())
                )
                if words:
                    placement = replace(
                        placement,
                        claim=words.get("--claim", placement.claim),
                        service_account=words.get("--service-account", placement.service_account),
                        settings=tuple(
                            replace(own, name=words.get("--settings", own.name)) for own in placement.settings
                        ),
                    )
        return placement


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """A text with the variables that it names as $(NAME), as Kubernetes puts them in; of what it does not know it keeps the name."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), text)


def _pod(manifest: Manifest) -> Pod | None:
    if (template := template_of(manifest)) is None:
        return None
    claims = manifest["spec"].get("volumeClaimTemplates", [])
    return Pod(
        named(manifest),
        template["metadata"].get("labels", {}),
        template["spec"],
        tuple(claim["metadata"]["name"] for claim in claims),
    )


def named(manifest: Manifest) -> str:
    """An object in a sentence."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"
