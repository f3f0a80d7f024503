"""What manifests refer to, or are referred to by, and is not rendered with them: held to where each is made."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

import yaml

from pipelines.shared.placement import PICTURES, RUN_LABEL, Placement
from pipelines.shared.trainjob import LABEL as TRAINING
from services import settings
from services.retrieval.routes import ENDPOINTS as RETRIEVAL
from services.trigger.routes import ENDPOINTS as TRIGGER
from tests.support.manifests import ROOT, Peer

PLACEMENT = Placement()
# Pods that are not rendered, by what they are: steps of pipelines, what Kubeflow adds to a run, nodes of a training.
STEP = {RUN_LABEL: "a-run", **PLACEMENT.labels}
UNRENDERED = {
    "a step of a pipeline": STEP,
    "a driver of Kubeflow": {RUN_LABEL: "a-run"},
    "a node of a training": TRAINING,
}
CLIENT = {"taxohash/retrieval": "client"}  # of a pod of users, which searches
# The paths that a program answers, by a word of its command.
ANSWERED = {
    "services.retrieval.server.main": {endpoint.path for endpoint in RETRIEVAL if endpoint.method == "GET"},
    "taxohash trigger": {endpoint.path for endpoint in TRIGGER if endpoint.method == "GET"},
}
PATHS = {  # with any method
    "services.retrieval.server.main": {endpoint.path for endpoint in RETRIEVAL},
    "taxohash trigger": {endpoint.path for endpoint in TRIGGER},
}
# Of programs that are not ours and are started without a command, by a word of their image.
ANSWERED_BY_IMAGE = {"redis_exporter": {"/metrics", "/health"}}
# What lies in other namespaces.
HOSTS = {"ml-pipeline.kubeflow": 8888, "prometheus-operated.monitoring": 9090}
SECRETS_OF_CERTIFICATES = frozenset({"tls.crt", "tls.key", "ca.crt"})
SETTINGS = {own.name: own for section in settings.SECTIONS.values() for own in section}
# Variables that are not the project's: of Python, numba, malloc, S3's clients, and of a shell's script beside them.
VARIABLES = {
    "HOME",
    "VALKEYCLI_AUTH",
    "MALLOC_ARENA_MAX",
    "NUMBA_CACHE_DIR",
    "OMP_NUM_THREADS",
    "PYTHONPATH",
    *PICTURES.keys,
}
# Made with the cluster, with Kubeflow or with what is installed beside it.
GIVEN = {
    "Secret": {"mlpipeline-minio-artifact"},
    "ConfigMap": {"kfp-launcher", "kube-root-ca.crt"},
    "PriorityClass": {"system-cluster-critical", "system-node-critical"},
}
DNS = Peer({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
ELSEWHERE = Peer(address="192.0.2.1")  # of the code store, in manifests/components/external-store
LOCAL_DNS = Peer(address="169.254.20.10")  # NodeLocal DNSCache
KUBEFLOW = Peer({"app": "ml-pipeline"}, {"kubernetes.io/metadata.name": "kubeflow"})
PROMETHEUS = Peer({"app.kubernetes.io/name": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})


@cache
def made(kind: str) -> Mapping[str, frozenset[str]]:
    """Keys of each Secret or ConfigMap that a user is told to make."""
    found: dict[str, frozenset[str]] = {}
    for file in (*(ROOT / "manifests").rglob("*.md"), *(ROOT / "docs").glob("operations.md")):
        for name, keys in told(kind, file.read_text(encoding="utf-8")):
            found[name] = found.get(name, frozenset()) | keys
    return found


def told(kind: str, text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Names and keys of the Secrets or ConfigMaps that commands in a text make."""
    word = {"Secret": "secret generic", "ConfigMap": "configmap"}[kind]
    for name, options in re.findall(rf"create {word} ([\w.-]+)((?:[ \\\n]+--from-\S+)+)", text):
        keys = re.findall(r"--from-(?:file|literal)=([^\s=]+)", options)
        if "--from-env-file" in options:
            keys += PICTURES.keys
        yield name, frozenset(key.rsplit("/", 1)[-1] for key in keys)
    for name in re.findall(r"create secret tls ([\w.-]+)", text) if kind == "Secret" else ():
        yield name, frozenset({"tls.crt", "tls.key"})


@cache
def images() -> frozenset[str]:
    """Names that the base and the components give to images, without registry and tag."""
    files = (ROOT / "manifests").rglob("kustomization.yaml")
    kustomizations = [yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader) for file in files]
    return frozenset(image["name"] for found in kustomizations for image in found.get("images", []))
