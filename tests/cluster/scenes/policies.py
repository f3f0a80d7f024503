"""Who may not reach a pod cannot, and who may can."""

import json

from tests.cluster.images import SERVING
from tests.cluster.pods import Namespace, Object, is_ready, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_TRY = """
import json, socket, sys
def reached(address):
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True
print(json.dumps({address: reached(address) for address in sys.argv[1:]}))
"""
_READY_SECONDS = 120.0


def policies(world: World) -> Told:
    """Pods of all labels, here and in another namespace, try every port; and who has no key, or one of too little right, tries the API."""
    space, other = world.space, Namespace(world.node, "somebody-else")
    store = _address(space, "codestore", 6379)
    served = _address(space, "retrieval", 3000)
    trigger = _address(space, "trigger", 8080)
    api = "10.96.0.1:443"
    tried = {
        ("nothing", space): {store: False, served: False, trigger: False, api: False},
        ("codestore", space): {store: True, served: False, trigger: False, api: False},
        ("bucket", space): {store: False, served: False, trigger: False},
    }
    found = {}
    for (label, where), expected in tried.items():
        found[label] = _reached(where, label, list(expected))
        assert found[label] == expected, f"a pod with {label}: {found[label]}, not {expected}"
    other.make()
    try:
        outside = _reached(other, "codestore", [store])
        assert outside == {store: False}, "the label of a client counts in its own namespace only"
    finally:
        world.node.kubectl("delete", "namespace", other.name, timeout=300)
    ways = sum(len(expected) for expected in tried.values()) + 1
    return Told(
        what="pods try to reach what they may not", notes=[f"{ways} ways tried, each as the policies say"]
    )


def _reached(space: Namespace, label: str, addresses: list[str]) -> dict[str, bool]:
    labels = {f"taxohash/{label}": "client"} if label != "nothing" else {}
    name = f"tries-{label}"
    space.put(_pod(name, labels))
    try:
        wait(lambda: is_ready(space.get("pod", name)), f"{name} is ready", _READY_SECONDS)
        told = space.run(f"pod/{name}", "python", "-c", _TRY, *addresses)
    finally:
        space.kubectl("delete", "pod", name, "--grace-period=0", "--force", check=False)
    found: dict[str, bool] = json.loads(told)
    return found


def _address(space: Namespace, workload: str, port: int) -> str:
    return f"{space.pods(workload)[0]['status']['podIP']}:{port}"


def _pod(name: str, labels: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1034,
                "runAsGroup": 1034,
                "fsGroup": 1034,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "tries",
                    "image": SERVING,
                    "command": ["sleep", "3600"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
