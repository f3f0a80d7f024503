"""One namespace of the node, as kubectl sees it."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.node import Node

Object = dict[str, Any]
_LOOK_SECONDS = 0.3
_SELECTORS = {
    "retrieval": "app.kubernetes.io/name=retrieval,taxohash/track=stable",
    "retrieval-canary": "app.kubernetes.io/name=retrieval,taxohash/track=canary",
}
READY_SECONDS = 600.0  # within which pods are ready, on cores as slow as there are


@dataclass(frozen=True)
class Namespace:
    """A namespace, and what is asked of it."""

    node: Node
    name: str

    def kubectl(self, *words: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        """A command of kubectl here."""
        return self.node.kubectl("-n", self.name, *words, **more)

    def make(self) -> None:
        """Make it, unless it is there."""
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}})

    def put(self, *objects: Object) -> None:
        """Apply objects."""
        placed = [
            own | {"metadata": {"namespace": self.name, **own["metadata"]}}
            if own["kind"] != "Namespace"
            else own
            for own in objects
        ]
        self.node.apply(yaml.safe_dump_all(placed))

    def secret(self, name: str, values: Mapping[str, str]) -> None:
        """Make a Secret, or put another in its place."""
        self.put(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
        )

    def get(self, *words: str) -> Any:
        """What `kubectl get` tells, as JSON."""
        return json.loads(self.kubectl("get", *words, "-o", "json").stdout)

    def pods(self, name: str) -> list[Object]:
        """Those of a workload that are not about to go."""
        found = self.get("pods", "-l", _SELECTORS.get(name, f"app.kubernetes.io/name={name}"))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def names(self, name: str) -> list[str]:
        """Of those pods."""
        return [pod["metadata"]["name"] for pod in self.pods(name)]

    def address(self, service: str) -> str:
        """Where a Service is reached in the node's network."""
        spec = self.get("service", service)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def rolled_out(self, workload: str, seconds: float = READY_SECONDS) -> None:
        """Wait until a workload, such as `deployment/retrieval`, is as it should be."""
        self.kubectl("rollout", "status", workload, f"--timeout={seconds:.0f}s", timeout=seconds + 30)

    def run(self, workload: str, *command: str, timeout: float = 300) -> str:
        """What a command in a pod of a workload prints."""
        return self.kubectl("exec", workload, "--", *command, timeout=timeout).stdout

    def logs(self, pod: str, lines: int = 30) -> str:
        """The last lines of a pod."""
        return self.kubectl("logs", pod, f"--tail={lines}", check=False).stdout


def wait(holds: Callable[[], object], what: str, seconds: float) -> None:
    """Wait until it holds.

    Raises:
        AssertionError: it does not in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"did not happen in {seconds:g} s: {what}"
        time.sleep(_LOOK_SECONDS)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready."""
    conditions: Sequence[Mapping[str, str]] = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
