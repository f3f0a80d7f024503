"""The manifests as a user puts them together: an overlay, components, and images of his own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.programs import ROOT

MANIFESTS = ROOT / "manifests"
_KUBECTL = Path(sys.executable).with_name("kubectl")


@dataclass(frozen=True)
class Overlay:
    """What is applied.

    Attributes:
        base: name of the shipped overlay that it is made from.
        components: names of shipped ones.
        patches: by kind and name of an object, a strategic merge patch of it.
        replicas: of Deployments, by their names.
    """

    namespace: str
    base: str = "dev"
    components: Sequence[str] = ()
    patches: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)

    def kustomization(self, folder: Path) -> dict[str, Any]:
        """Its kustomization.yaml, for a folder: a copy of the shipped one, as a user makes it."""
        shipped = MANIFESTS / "overlays" / self.base

        def here(path: str) -> str:
            return os.path.relpath((shipped / path).resolve(), folder)

        own: dict[str, Any] = yaml.safe_load((shipped / "kustomization.yaml").read_text())
        components = [*own.get("components", ()), *(f"../../components/{name}" for name in self.components)]
        return own | {
            "namespace": self.namespace,
            "resources": [here(path) for path in own["resources"]],
            "components": [here(path) for path in components],
            "replicas": [{"name": name, "count": count} for name, count in self.replicas.items()],
            "patches": [
                *own.get("patches", ()),
                *(
                    {"target": {"kind": kind, "name": name}, "patch": yaml.safe_dump(_of(kind, name, patch))}
                    for (kind, name), patch in self.patches.items()
                ),
            ],
        }

    def rendered(self, folder: Path) -> str:
        """What kubectl makes of it, in a folder of its own.

        Raises:
            AssertionError: it cannot be rendered.
        """
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(self.kustomization(folder)))
        done = subprocess.run([_KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _of(kind: str, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
    versions = {
        "Deployment": "apps/v1",
        "StatefulSet": "apps/v1",
        "HorizontalPodAutoscaler": "autoscaling/v2",
    }
    return {
        "apiVersion": versions.get(kind, "v1"),
        "kind": kind,
        "metadata": {"name": name},
        **patch,
    }
