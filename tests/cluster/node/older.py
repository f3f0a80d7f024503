"""Manifests as Kubernetes 1.20 knows them: older versions of the same kinds, and without what it cannot know."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

# Kinds that 1.20 has by an older version with the same fields.
_VERSIONS = {
    ("policy/v1", "PodDisruptionBudget"): "policy/v1beta1",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "autoscaling/v2beta2",
    ("batch/v1", "CronJob"): "batch/v1beta1",
}


def older(manifest: Manifest) -> Manifest:
    """The same in words that 1.20 has, where there are any; all else as it is.

    Besides versions of kinds: a sidecar among the init containers becomes a container, and a hook that sleeps one that runs
    `sleep`.
    """
    made = copy.deepcopy(manifest)
    kind = (made["apiVersion"], made["kind"])
    made["apiVersion"] = _VERSIONS.get(kind, made["apiVersion"])
    for pod in _pods(made):
        _sidecars(pod)
        for container in pod.get("containers", []):
            _hooks(container)
    return made


def _pods(value: Any) -> Iterator[Manifest]:
    """Every spec of a pod within: what has containers."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for inner in value.values():
            yield from _pods(inner)


def _sidecars(pod: Manifest) -> None:
    initial = pod.get("initContainers", [])
    sidecars = [one for one in initial if one.get("restartPolicy") == "Always"]
    if sidecars:
        pod["containers"] += [{k: v for k, v in one.items() if k != "restartPolicy"} for one in sidecars]
        pod["initContainers"] = [one for one in initial if one not in sidecars]


def _hooks(container: Manifest) -> None:
    for name, hook in container.get("lifecycle", {}).items():
        if "sleep" in hook:
            command = ["sleep", str(hook["sleep"]["seconds"])]
            container["lifecycle"][name] = {"exec": {"command": command}}


# -- what is left out --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schema:
    """What an API server says of the kinds that it knows.

    Attributes:
        definitions: of its OpenAPI document, version 2.
        kinds: names of definitions, by apiVersion and kind.
    """

    definitions: Mapping[str, Manifest]
    kinds: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, document: Manifest) -> "Schema":
        """That of an OpenAPI document."""
        kinds = {}
        for name, definition in document["definitions"].items():
            for one in definition.get("x-kubernetes-group-version-kind", []):
                version = f"{one['group']}/{one['version']}" if one["group"] else one["version"]
                kinds[version, one["kind"]] = name
        return cls(document["definitions"], kinds)

    def known(self, manifest: Manifest) -> tuple[Manifest | None, list[str]]:
        """What of a manifest is known, None for nothing of it, and the places of what is left out."""
        who = f"{manifest['kind']}/{manifest['metadata']['name']}"
        name = self.kinds.get((manifest["apiVersion"], manifest["kind"]))
        if name is None:
            return None, [f"{who}: {manifest['apiVersion']} has no such kind here"]
        left: list[str] = []
        kept = self._known(manifest, self.definitions[name], "", left)
        return kept, [f"{who}: {place}" for place in left]

    def _known(self, value: Any, schema: Manifest, place: str, left: list[str]) -> Any:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        if isinstance(value, list) and "items" in schema:
            items = enumerate(value)
            return [self._known(one, schema["items"], f"{place}[{number}]", left) for number, one in items]
        if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
            return value
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        if properties is None and not isinstance(others, dict):
            return value
        kept = {}
        for key, one in value.items():
            inner = (properties or {}).get(key, others)
            where = f"{place}.{key}".lstrip(".")
            if isinstance(inner, dict):
                kept[key] = self._known(one, inner, where, left)
            else:
                left.append(where)
        return kept
