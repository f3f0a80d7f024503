"""A pod that runs a pipeline, placed as Kubeflow would place the pods of its steps: account, labels, image, claim, Secrets, settings.

It is no pod of Argo's: there is no Kubeflow on the node, so one Job runs all steps by the runner that the command has itself.
"""

from collections.abc import Iterable
from typing import Any

from pipelines.shared.placement import AUTHORITY_MOUNT, MOUNT, RUN_LABEL, FromObject, Placement
from services import settings
from tests.cluster.pods import Namespace, Object, wait

_SECONDS = 1800.0
_USER = 1000


def run(namespace: Namespace, image: str, name: str, *words: str) -> tuple[int, str]:
    """Run `taxohash pipeline` with these words to its end; its exit code, and the last lines of its log."""
    namespace.put(job(Placement(namespace=namespace.name), image, name, ["taxohash", "pipeline", *words]))
    return ended(namespace, name)


def ended(namespace: Namespace, name: str) -> tuple[int, str]:
    """Wait until a Job's pod has; its exit code, and the last lines of its log."""

    def state() -> Any:
        (pod,) = namespace.get("pods", "-l", f"job-name={name}")["items"] or [{"status": {}}]
        (container,) = pod["status"].get("containerStatuses", [{}])
        return pod.get("metadata", {}).get("name"), container.get("state", {}).get("terminated")

    wait(lambda: state()[1], f"the end of {name}", _SECONDS)
    pod, terminated = state()
    return terminated["exitCode"], namespace.logs(pod)


def job(placement: Placement, image: str, name: str, command: list[str]) -> Object:
    """A Job of one pod, which is not tried again."""
    resources = placement.light
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {**placement.labels, RUN_LABEL: name}},
                "spec": {
                    "serviceAccountName": placement.service_account,
                    "restartPolicy": "Never",
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "fsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "steps",
                            "image": image,
                            "args": command,
                            "env": [
                                *_variables(placement.secrets, "secretKeyRef"),
                                *_variables(placement.settings, "configMapKeyRef"),
                                {
                                    "name": settings.RUN_ID.name,
                                    "valueFrom": {
                                        "fieldRef": {"fieldPath": f"metadata.labels['{RUN_LABEL}']"}
                                    },
                                },
                                {"name": "HOME", "value": "/tmp"},
                                {"name": "OMP_NUM_THREADS", "value": "1"},
                            ],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": resources.memory},
                                "limits": {"memory": resources.memory_limit},
                            },
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [
                                {"name": "work", "mountPath": MOUNT},
                                {"name": "tmp", "mountPath": "/tmp"},
                                {"name": "authority", "mountPath": AUTHORITY_MOUNT, "readOnly": True},
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": "work", "persistentVolumeClaim": {"claimName": placement.claim}},
                        {"name": "tmp", "emptyDir": {}},
                        {"name": "authority", "configMap": {"name": placement.authority, "optional": True}},
                    ],
                },
            },
        },
    }


def _variables(sources: Iterable[FromObject], kind: str) -> list[Object]:
    return [
        {
            "name": variable,
            "valueFrom": {kind: {"name": source.name, "key": key, "optional": source.optional}},
        }
        for source in sources
        for key, variable in source.keys.items()
    ]
