"""What components make of the base, and the code store's servers that they render, as processes on loopback."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import yaml

from services.processes import end_with_parent, stop
from tests.support.manifests import KUBECTL, ROOT, Manifest, of_kind
from tests.support.ports import free_port

VALKEY = ROOT / ".cache" / "servers" / "valkey-9.1.2"  # with TLS and its client: scripts/valkey
needs_valkey = pytest.mark.skipif(
    not (VALKEY / "valkey-server").is_file(),
    reason="Valkey 9.1.2 with TLS is not here: sh scripts/valkey says why",
)
CLIENT_LABELS = {"taxohash/codestore": "client"}
_SECONDS = 60.0

Files = Mapping[str, str]


@cache
def _rendered(components: tuple[str, ...], namespace: str) -> str:
    base = ROOT / "manifests"
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        overlay = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace,
            "resources": [os.path.relpath(base / "base", here)],
            "components": [os.path.relpath(base / "components" / name, here) for name in components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        done = subprocess.run(
            [KUBECTL, "kustomize", here], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def render_with(*components: str, namespace: str = "taxohash") -> list[Manifest]:
    """The base with these components, as kubectl renders it; once for each choice of them."""
    return list(yaml.load_all(_rendered(components, namespace), yaml.CSafeLoader))


def templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by kind and name of what makes the pods, Jobs and CronJobs among them."""
    found = {}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if manifest["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob"):
            found[f"{manifest['kind']}/{manifest['metadata']['name']}"] = spec["template"]
    return found


class Pod:
    """A container of the code store's StatefulSet as a process: what it mounts are folders here, its ports are free ones.

    Args:
        secrets: texts of the Secrets' keys, and of ConfigMaps that are not rendered, by the object's name.
        programs: folder of valkey-server and valkey-cli.
        variables: that Kubernetes would give: of the pod's fields, and limits.
        names: texts that are others here.
        stand_ins: programs of the image that would not work here, by name and text.
        host: address of loopback that it listens on.
        port: on which it listens; a free one if left out.
    """

    def __init__(
        self,
        manifests: list[Manifest],
        folder: Path,
        objects: Mapping[str, Files],
        programs: Path = VALKEY,
        variables: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        stand_ins: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        spec = of_kind(manifests, "StatefulSet")["codestore"]["spec"]["template"]["spec"]
        (self.container,) = (own for own in spec["containers"] if own["name"] == "valkey")
        self.folder = folder
        self.host, self.port = host, port or free_port()
        self._programs = folder / "bin", programs
        self._process: subprocess.Popen[bytes] | None = None
        self._names = {
            "protected-mode no": f"protected-mode no\nbind {host}\nbind-source-addr {host}"
        } | dict(names or {})
        self._programs[0].mkdir(parents=True)
        for name, text in (stand_ins or {}).items():
            (self._programs[0] / name).write_text(text)
            (self._programs[0] / name).chmod(0o755)
        rendered = {name: own["data"] for name, own in of_kind(manifests, "ConfigMap").items()}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        self._places: dict[str, Path] = {}
        for mount in self.container["volumeMounts"]:
            self._places[mount["mountPath"]] = folder / mount["name"]
        for mount in self.container["volumeMounts"]:
            volume = volumes.get(mount["name"], {})
            source = volume.get("configMap", {}).get("name") or volume.get("secret", {}).get("secretName")
            self.put(mount["name"], (rendered | dict(objects))[source] if source else {})
        environment = {own["name"]: own["value"] for own in self.container.get("env", []) if "value" in own}
        self.environment = {**environment, "MEMORY_LIMIT": str(1 << 30), **(variables or {})}

    def put(self, volume: str, files: Files) -> None:
        """Change what is mounted, all at once, as the kubelet does: by a link to a folder of that moment."""
        place = self.folder / volume
        made = Path(tempfile.mkdtemp(dir=self.folder, prefix=f".{volume}."))
        for name, text in files.items():
            (made / name).write_text(self.here(text))
        if place.is_symlink() or files:
            link = made.with_suffix(".link")
            link.symlink_to(made)
            link.replace(place)
        else:
            place.mkdir(exist_ok=True)

    def here(self, text: str) -> str:
        """A text of the pod with places, ports and names as they are here."""
        for path, place in sorted(self._places.items(), reverse=True):
            text = text.replace(path, str(place))
        text = re.sub(r"\b6379\b", str(self.port), text)
        for name, other in self._names.items():
            text = text.replace(name, other)
        return re.sub(r"\bvalkey-cli (?=--)", f"valkey-cli -h {self.host} -p {self.port} ", text)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def run(self, command: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """What a command in the container does, a probe's say."""
        return subprocess.run(
            [self.here(word) for word in command],
            env=self._variables | variables,
            capture_output=True,
            text=True,
            timeout=2 * _SECONDS,
            check=False,
        )

    def ready(self) -> bool:
        """What the readiness probe says."""
        return self.run(self.container["readinessProbe"]["exec"]["command"]).returncode == 0

    @property
    def _variables(self) -> dict[str, str]:
        places = ":".join([*map(str, self._programs), os.environ["PATH"]])
        return {**os.environ, "PATH": places, **self.environment}

    def start(self) -> None:
        """Start the container, and return when its startup probe is content."""
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self.here(word) for word in self.container["command"]],
                env=self._variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        deadline = time.monotonic() + _SECONDS
        while self.run(self.container["startupProbe"]["exec"]["command"]).returncode:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as Kubernetes does."""
        if self._process is not None:
            stop(self._process)


@contextmanager
def started(*pods: Pod) -> Iterator[None]:
    """Containers that run."""
    try:
        for pod in pods:
            pod.start()
        yield
    finally:
        for pod in pods:
            pod.stop()
