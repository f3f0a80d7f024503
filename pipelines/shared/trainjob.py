"""Training on several nodes: a TrainJob of Kubeflow Trainer that starts the same `taxohash train`.

It trains into the folder in which the pipeline's step `train` looks for a training of these data with this configuration, so that
a run submitted afterwards finds it finished. Trainer's runtime `torch-distributed` tells torchrun of the other nodes (PET_*).
"""

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pipelines.shared.placement import IMAGE, MOUNT, QUEUE_LABEL, Placement
from taxohash.runtime.configuration import flat, plain

if TYPE_CHECKING:
    from taxohash.training.config import HasherConfig

API = "trainer.kubeflow.org/v1alpha1"
RUNTIME = "torch-distributed"
MANAGER = "taxohash.org/pipelines"  # of the patches to its pods
NAME = "training"
LABEL = {"app.kubernetes.io/name": NAME}  # the policy of its pods, which talk to each other
CACHES = ("HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")  # are written, and the image is not


def trainjob(
    config: "HasherConfig",
    data: str,
    folder: str,
    nodes: int,
    placement: Placement | None = None,
    image: str = IMAGE,
) -> dict[str, Any]:
    """The manifest of a TrainJob.

    Args:
        config: of the hasher, completed.
        data: folder of the data version, as pods see it.
        folder: of the run, likewise.
        nodes: pods that train together; each has as many processes as GPUs, one where it has none.
    """
    placed = placement or Placement()
    resources = placed.training
    gpus = {resources.gpu: resources.gpus} if resources.gpus else {}
    pod: dict[str, Any] = {
        "serviceAccountName": placed.service_account,
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": placed.claim}}],
        "containers": [{"name": "node", "volumeMounts": [{"name": "work", "mountPath": MOUNT}]}],
    }
    if resources.nodes:
        pod["nodeSelector"] = dict(resources.nodes)
    if tolerations := [plain(one) for one in resources.tolerations] + [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in gpus
    ]:
        pod["tolerations"] = [{k: v for k, v in one.items() if v is not None} for one in tolerations]
    labels = {**LABEL, "app.kubernetes.io/part-of": "taxohash"}
    return {
        "apiVersion": API,
        "kind": "TrainJob",
        "metadata": {
            "name": PurePosixPath(folder).name.replace("_", "-").lower(),
            "namespace": placed.namespace,
            "labels": labels | ({QUEUE_LABEL: placed.queue} if placed.queue else {}),
        },
        "spec": {
            "runtimeRef": {"apiGroup": API.split("/")[0], "kind": "ClusterTrainingRuntime", "name": RUNTIME},
            "trainer": {
                "image": image,
                "numNodes": nodes,
                "numProcPerNode": max(resources.gpus, 1),
                "command": command(config, data, folder),
                "env": [{"name": name, "value": "/tmp"} for name in CACHES],
                "resourcesPerNode": {
                    "requests": {"cpu": resources.cpu, "memory": resources.memory} | gpus,
                    "limits": {"memory": resources.memory_limit} | gpus,
                },
            },
            "runtimePatches": [
                {
                    "manager": MANAGER,
                    "trainingRuntimeSpec": {
                        "template": {
                            "spec": {
                                "replicatedJobs": [
                                    {
                                        "name": "node",
                                        "template": {
                                            "spec": {
                                                "template": {"metadata": {"labels": labels}, "spec": pod}
                                            }
                                        },
                                    }
                                ]
                            }
                        }
                    },
                }
            ],
        },
    }


def command(config: "HasherConfig", data: str, folder: str) -> list[str]:
    """What each node starts: `taxohash train`, with every field of the configuration by its path."""
    return [
        *("torchrun", "-m", "taxohash.cli", "train", "--data", data, "--out", folder),
        *(
            word
            for path, value in flat(plain(config)).items()
            for word in ("--set", f"{path}={json.dumps(value)}")
        ),
    ]
