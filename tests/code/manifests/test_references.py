"""What is rendered refers only to what there is; and a reference that is broken on purpose is found, whichever it is."""

import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from tests.support.combinations import Names, render_with
from tests.support.manifests import OVERLAYS, Manifest, of_kind, render, template_of
from tests.support.references import broken
from tests.support.references.known import told
from tests.support.renamed import places, renamed
from tests.support.renamed import told as place_told


@cache
def rendered(overlay: str) -> list[Manifest]:
    return render(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_reference_leads_somewhere(overlay: str) -> None:
    assert broken(rendered(overlay)) == []


# -- each kind of reference, broken on purpose ------------------------------------------------------------------------


class Broken:
    """An overlay to break: its objects by kind and name."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests

    def __call__(self, kind: str, name: str) -> Manifest:
        """An object; a ConfigMap with a hash to its name by what stands before that."""
        (found,) = (
            m for m in self.manifests
            if m["kind"] == kind and re.fullmatch(rf"{name}(-[0-9a-z]{{10}})?", m["metadata"]["name"])
        )  # fmt: skip
        return found

    def pod(self, name: str, kind: str = "Deployment") -> Manifest:
        found = template_of(self(kind, name))
        assert found
        return found

    def container(self, name: str, kind: str = "Deployment", number: int = 0) -> Manifest:
        found: Manifest = self.pod(name, kind)["spec"]["containers"][number]
        return found

    def variable(self, name: str, variable: str) -> Manifest:
        (found,) = (one for one in self.container(name)["env"] if one["name"] == variable)
        return dict_of(found)

    def volume(self, name: str, volume: str, kind: str = "Deployment") -> Manifest:
        (found,) = (one for one in self.pod(name, kind)["spec"]["volumes"] if one["name"] == volume)
        return dict_of(found)

    def remove(self, kind: str, name: str) -> None:
        self.manifests.remove(self(kind, name))


def dict_of(found: Any) -> Manifest:
    assert isinstance(found, dict)
    return found


def put(inner: Manifest, *way: str | int, value: Any) -> None:
    """Set what stands at the end of a way through a manifest."""
    target: Any = inner
    for step in way[:-1]:
        target = target[step]
    target[way[-1]] = value


STORE = "StatefulSet"
# What is done to the overlay for production, and the sentence that must say so.
BREAKS: dict[str, tuple[Callable[[Broken], object], str]] = {
    "service selects nothing": (
        lambda b: put(b("Service", "retrieval"), "spec", "selector", "app.kubernetes.io/name", value="searching"),
        "Service retrieval selects no pod",
    ),
    "service selects others": (
        lambda b: put(b("Service", "retrieval"), "spec", "selector", value={"app.kubernetes.io/part-of": "taxohash"}),
        "Service retrieval: StatefulSet codestore has no port http",
    ),
    "service port by name": (
        lambda b: put(b("Service", "codestore"), "spec", "ports", 0, "targetPort", value="valkey"),
        "Service codestore: StatefulSet codestore has no port valkey",
    ),
    "service port by number": (
        lambda b: put(b("Service", "trigger"), "spec", "ports", 0, "targetPort", value=8081),
        "Service trigger: Deployment trigger has no port 8081",
    ),
    "workload does not select its pods": (
        lambda b: put(b.pod("backfill"), "metadata", "labels", "app.kubernetes.io/name", value="filler"),
        "Deployment backfill does not select its own pods",
    ),
    "workload selects others": (
        lambda b: put(b("Deployment", "trigger"), "spec", "selector", value={"matchLabels": {"taxohash/bucket": "client"}}),
        "Deployment trigger selects the pods of Deployment backfill",
    ),
    "statefulset without its service": (
        lambda b: put(b(STORE, "codestore"), "spec", "serviceName", value="store"),
        "StatefulSet codestore: there is no Service store",
    ),
    "statefulset with another's service": (
        lambda b: put(b(STORE, "codestore"), "spec", "serviceName", value="trigger"),
        "StatefulSet codestore: Service trigger does not lead to its pods",
    ),
    "statefulset's service has an address": (
        lambda b: b("Service", "codestore")["spec"].pop("clusterIP"),
        "StatefulSet codestore: Service codestore has an address of its own, so its pods have no names",
    ),
    "budget of nothing": (
        lambda b: put(b("PodDisruptionBudget", "retrieval"), "spec", "selector", "matchLabels", value={"app": "x"}),
        "PodDisruptionBudget retrieval selects no pod",
    ),
    "spread of others": (
        lambda b: put(
            b.pod("retrieval"), "spec", "topologySpreadConstraints", 0, "labelSelector", value={"matchLabels": {"app": "x"}}
        ),
        "Deployment retrieval spreads pods that are not its own",
    ),
    "policy for nothing": (
        lambda b: put(b("NetworkPolicy", "trigger"), "spec", "podSelector", value={"matchLabels": {"app": "x"}}),
        "NetworkPolicy trigger is for no pod",
    ),
    "policy names nobody": (
        lambda b: put(
            b("NetworkPolicy", "codestore"), "spec", "ingress", 0, "from", 0, "podSelector", value={"matchLabels": {"app": "x"}}
        ),
        "NetworkPolicy codestore: its ingress names no pod that there is",
    ),
    "policy's port": (
        lambda b: put(b("NetworkPolicy", "retrieval"), "spec", "ingress", 0, "ports", 0, "port", value="https"),
        "NetworkPolicy retrieval: no pod of its ingress has a port https",
    ),
    "policy's port on the way out": (
        lambda b: put(b("NetworkPolicy", "codestore-clients"), "spec", "egress", 0, "ports", 0, "port", value="store"),
        "NetworkPolicy codestore-clients: no pod of its egress has a port store",
    ),
    "label for the store, of a service": (
        lambda b: b.pod("retrieval")["metadata"]["labels"].pop("taxohash/codestore"),
        "Deployment retrieval does not reach the code store",
    ),
    "label for the bucket": (
        lambda b: b.pod("backfill")["metadata"]["labels"].pop("taxohash/bucket"),
        "Deployment backfill does not reach the bucket",
    ),
    "label for Kubeflow": (
        lambda b: b.pod("trigger")["metadata"]["labels"].pop("taxohash/kubeflow"),
        "Deployment trigger does not reach Kubeflow",
    ),
    "store lets nobody in": (
        lambda b: put(b("NetworkPolicy", "codestore"), "spec", "ingress", value=[]),
        "a step of a pipeline does not reach the code store",
    ),
    "policy of the store's clients is gone": (
        lambda b: b.remove("NetworkPolicy", "codestore-clients"),
        "Deployment retrieval does not reach the code store",
    ),
    "policy of runs is gone": (
        lambda b: b.remove("NetworkPolicy", "runs"),
        "a driver of Kubeflow does not reach DNS over UDP",
    ),
    "names cannot be resolved": (
        lambda b: b("NetworkPolicy", "training")["spec"]["egress"].pop(),
        "a node of a training does not reach DNS over UDP",
    ),
    "names cannot be resolved over TCP": (
        lambda b: b("NetworkPolicy", "runs")["spec"]["egress"][2]["ports"].pop(),
        "a driver of Kubeflow does not reach DNS over TCP",
    ),
    "all may leave": (
        lambda b: put(b("NetworkPolicy", "bucket-clients"), "spec", "podSelector", value={}),
        "a pod without labels leaves the cluster",
    ),
    "all may come to the store": (
        lambda b: b("NetworkPolicy", "codestore")["spec"]["ingress"][0].pop("from"),
        "the code store is open to strangers",
    ),
    "probe's port": (
        lambda b: put(b.container("retrieval"), "readinessProbe", "httpGet", "port", value="web"),
        "Deployment retrieval, container retrieval: its readinessProbe asks port web, which it does not have",
    ),
    "probe's path": (
        lambda b: put(b.container("trigger"), "livenessProbe", "httpGet", "path", value="/healthz"),
        "Deployment trigger, container trigger: its livenessProbe asks for /healthz, which its program does not answer",
    ),
    "port of the command": (
        lambda b: put(b.container("retrieval"), "args", -1, value="3001"),
        "Deployment retrieval, container retrieval listens on 3001, which is none of its ports",
    ),
    "port of the configuration": (
        lambda b: put(b("ConfigMap", "codestore"), "data", "valkey.conf", value="port 6380\n"),
        "StatefulSet codestore, container valkey listens on 6380, which is none of its ports",
    ),
    "container's port": (
        lambda b: put(b.container("trigger"), "ports", 0, "containerPort", value=9000),
        "Deployment trigger, container trigger listens on 8080, which is none of its ports",
    ),
    "service's port": (
        lambda b: put(b("Service", "trigger"), "spec", "ports", 0, "port", value=8080),
        "alertmanager.yaml: Service trigger has no port 80",
    ),
    "address of Kubeflow": (
        lambda b: put(b("ConfigMap", "trigger"), "data", "KF_PIPELINES_ENDPOINT", value="http://ml-pipelines.kubeflow.svc:8888"),
        "nothing is known at ml-pipelines.kubeflow.svc:8888",
    ),
    "ConfigMap of variables": (
        lambda b: put(b.container("retrieval"), "envFrom", 0, "configMapRef", "name", value="search"),
        "Deployment retrieval, container retrieval: there is no ConfigMap search",
    ),
    "Secret of variables": (
        lambda b: put(b.container("backfill"), "envFrom", 1, "secretRef", "name", value="pics"),
        "Deployment backfill, container backfill: there is no Secret pics",
    ),
    "Secret of a variable": (
        lambda b: put(b.variable("retrieval", "TAXOHASH_REDIS_URL"), "valueFrom", "secretKeyRef", "name", value="codestore"),
        "Deployment retrieval, container retrieval: TAXOHASH_REDIS_URL: there is no Secret codestore",
    ),
    "key of a Secret": (
        lambda b: put(b.variable("trigger", "TAXOHASH_REDIS_URL"), "valueFrom", "secretKeyRef", "key", value="address"),
        "Deployment trigger, container trigger: TAXOHASH_REDIS_URL: Secret codestore-admin has no key address",
    ),
    "Secret of a volume": (
        lambda b: put(b.volume("retrieval", "api-keys"), "secret", "secretName", value="api-keys"),
        "Deployment retrieval, volume api-keys: there is no Secret api-keys",
    ),
    "key of a volume": (
        lambda b: put(b.volume("codestore", "acl", STORE), "secret", "items", 0, "key", value="acl"),
        "StatefulSet codestore, volume acl: Secret codestore-acl has no key acl",
    ),
    "ConfigMap of a volume": (
        lambda b: put(b.volume("codestore", "conf", STORE), "configMap", "name", value="valkey"),
        "StatefulSet codestore, volume conf: there is no ConfigMap valkey",
    ),
    "bound of a resource": (
        lambda b: b.container("codestore", STORE)["resources"]["limits"].pop("memory"),
        "StatefulSet codestore, container valkey: MEMORY_LIMIT: the container has no limits.memory",
    ),
    "mount without a volume": (
        lambda b: put(b.container("trigger"), "volumeMounts", 0, "name", value="tokens"),
        "Deployment trigger, container trigger: there is no volume tokens",
    ),
    "volume without a mount": (
        lambda b: b.pod("retrieval")["spec"]["volumes"].append({"name": "more", "emptyDir": {}}),
        "Deployment retrieval: no container mounts the volume more",
    ),
    "file of a setting": (
        lambda b: put(b("ConfigMap", "retrieval"), "data", "TAXOHASH_API_KEYS_FILE", value="/etc/taxohash/keys.json"),
        "Deployment retrieval, container retrieval: what is mounted at /etc/taxohash has no file keys.json",
    ),
    "folder of a setting": (
        lambda b: put(b("ConfigMap", "backfill"), "data", "TAXOHASH_CACHE", value="/work/cache"),
        "Deployment backfill, container backfill: nothing is mounted where /work/cache should lie",
    ),
    "file of the server's configuration": (
        lambda b: put(b.volume("codestore", "acl", STORE), "secret", "items", 0, "path", value="acl.txt"),
        "StatefulSet codestore, container valkey: what is mounted at /etc/valkey/acl has no file users.acl",
    ),
    "claim of the pipelines": (
        lambda b: put(b("PersistentVolumeClaim", "taxohash-work"), "metadata", "name", value="work"),
        "pipelines/shared/placement.py: there is no PersistentVolumeClaim taxohash-work",
    ),
    "settings of the pipelines": (
        lambda b: b("ConfigMap", "pipelines")["data"].pop("TAXOHASH_EVENTS"),
        "pipelines/shared/placement.py: ConfigMap pipelines has no key TAXOHASH_EVENTS",
    ),
    "setting that pipelines do not know": (
        lambda b: put(b("ConfigMap", "pipelines"), "data", "TAXOHASH_PICTURES", value="s3://a/b"),
        "pipelines/shared/placement.py does not know the key TAXOHASH_PICTURES of ConfigMap pipelines",
    ),
    "ConfigMap of nobody": (
        lambda b: b.container("backfill")["envFrom"].pop(0),
        "is used by nobody",
    ),
    "account of a pod": (
        lambda b: put(b.pod("backfill"), "spec", "serviceAccountName", value="filler"),
        "Deployment backfill: there is no ServiceAccount filler",
    ),
    "account of nobody": (
        lambda b: put(b.pod("backfill"), "spec", "serviceAccountName", value="trigger"),
        "ServiceAccount backfill is used by nobody",
    ),
    "priority of a pod": (
        lambda b: put(b.pod("retrieval"), "spec", "priorityClassName", value="urgent"),
        "Deployment retrieval: there is no PriorityClass urgent",
    ),
    "role": (
        lambda b: put(b("RoleBinding", "trigger"), "roleRef", "name", value="starter"),
        "RoleBinding trigger: there is no Role starter",
    ),
    "role of nobody": (
        lambda b: b.remove("RoleBinding", "pipelines"),
        "Role pipelines is given to nobody",
    ),
    "who has a role": (
        lambda b: put(b("RoleBinding", "pipelines"), "subjects", 0, "name", value="steps"),
        "RoleBinding pipelines: there is no ServiceAccount steps",
    ),
    "where who has a role is": (
        lambda b: put(b("RoleBinding", "trigger"), "subjects", 0, "namespace", value="default"),
        "RoleBinding trigger: ServiceAccount trigger is not in the namespace default",
    ),
    "what a role may read": (
        lambda b: put(b("Role", "pipelines"), "rules", 4, "resourceNames", value=["admin"]),
        "Role pipelines: there is no Secret admin",
    ),
    "autoscaler of nothing": (
        lambda b: put(b("HorizontalPodAutoscaler", "retrieval"), "spec", "scaleTargetRef", "name", value="search"),
        "HorizontalPodAutoscaler retrieval: there is no Deployment search",
    ),
    "replicas beside an autoscaler": (
        lambda b: put(b("Deployment", "retrieval"), "spec", "replicas", value=2),
        "Deployment retrieval has replicas, which HorizontalPodAutoscaler retrieval decides about",
    ),
    "variable that nobody reads": (
        lambda b: put(b("ConfigMap", "retrieval"), "data", "TAXOHASH_THREAD", value="2"),
        "Deployment retrieval, container retrieval: nobody reads TAXOHASH_THREAD",
    ),
    "value that cannot be": (
        lambda b: put(b("ConfigMap", "retrieval"), "data", "TAXOHASH_THREADS", value="two"),
        "Deployment retrieval, container retrieval: TAXOHASH_THREADS is 'two': it is a whole number of at least 1",
    ),
    "value of the pipelines that cannot be": (
        lambda b: b.container("retrieval")["env"].append({"name": "TAXOHASH_LOG", "value": "xml"}),
        "Deployment retrieval, container retrieval: TAXOHASH_LOG is 'xml': it is json or text",
    ),
    "variable said twice": (
        lambda b: b.container("backfill")["env"].append({"name": "HOME", "value": "/tmp"}),
        "Deployment backfill, container backfill: HOME is said twice",
    ),
    "collection": (
        lambda b: put(b("ConfigMap", "backfill"), "data", "TAXOHASH_COLLECTION", value="shop"),
        "Deployment backfill, container backfill: the collection shop is not that of the pipelines, default",
    ),
    "collection of the pipelines": (
        lambda b: put(b("ConfigMap", "pipelines"), "data", "TAXOHASH_COLLECTION", value="shop"),
        "the collection of the pipelines is shop, and that of the compiled ones default",
    ),
    "image that is not known": (
        lambda b: put(b.container("retrieval"), "image", value="registry.example.org/search:1"),
        "Deployment retrieval, container retrieval: the image registry.example.org/search is not known",
    ),
    "image of no version": (
        lambda b: put(b.container("codestore", STORE), "image", value="docker.io/valkey/valkey:latest"),
        "StatefulSet codestore, container valkey: the image docker.io/valkey/valkey is of no version",
    ),
    "two versions of one image": (
        lambda b: put(b.container("backfill"), "image", value="taxohash/python-train:0.0.9"),
        "the image taxohash/python-train is of 2 versions",
    ),
    "image of steps": (
        lambda b: put(b.variable("trigger", "TAXOHASH_IMAGE"), "value", value="taxohash/python-train:0.0.9"),
        "Deployment trigger, container trigger runs in registry.example.org/taxohash/python-train:VERSION, its steps in",
    ),
    "namespace": (
        lambda b: put(b("Service", "codestore"), "metadata", "namespace", value="default"),
        "Service codestore is in the namespace default, alone",
    ),
}  # fmt: skip


# Likewise, in that overlay with components.
PATHS: tuple[str | int, ...] = ("spec", "rules", 0, "http", "paths")
TRIGGER: tuple[str | int, ...] = ("spec", "triggers", 0, "metadata")
TAKEN = (
    "keda", "monitoring", "priority", "canary", "ingress", "gateway", "canary-weight", "external-secrets", "signing", "backup",
    "exporter", "tls", "exporter-monitor", "prune",
)  # fmt: skip
BREAKS_OF_COMPONENTS: dict[str, tuple[Callable[[Broken], object], str]] = {
    "backend of an ingress": (
        lambda b: put(b("Ingress", "retrieval"), *PATHS, 0, "backend", "service", "name", value="search"),
        "Ingress retrieval: there is no Service search",
    ),
    "port of an ingress": (
        lambda b: put(b("Ingress", "retrieval"), *PATHS, 1, "backend", "service", "port", value={"number": 8080}),
        "Ingress retrieval: Service retrieval has no port 8080",
    ),
    "certificate of an ingress": (
        lambda b: put(b("Ingress", "retrieval"), "spec", "tls", 0, "secretName", value="search-tls"),
        "Ingress retrieval: there is no Secret search-tls",
    ),
    "host of a certificate": (
        lambda b: put(b("Ingress", "retrieval"), "spec", "tls", 0, "hosts", value=["other.example.org"]),
        "Ingress retrieval has a certificate for other.example.org, for which it has no rule",
    ),
    "backend of a route": (
        lambda b: put(b("HTTPRoute", "retrieval"), "spec", "rules", 0, "backendRefs", 1, "name", value="canary"),
        "HTTPRoute retrieval: there is no Service canary",
    ),
    "port of a route": (
        lambda b: put(b("HTTPRoute", "retrieval"), "spec", "rules", 0, "backendRefs", 0, "port", value=3000),
        "HTTPRoute retrieval: Service retrieval-stable has no port 3000",
    ),
    "gateway": (
        lambda b: b("HTTPRoute", "retrieval")["spec"]["parentRefs"][0].pop("namespace"),
        "HTTPRoute retrieval: there is no Gateway taxohash",
    ),
    "canary's label": (
        lambda b: put(b("Service", "retrieval-canary"), "spec", "selector", "taxohash/track", value="candidate"),
        "Service retrieval-canary selects no pod",
    ),
    "what KEDA scales": (
        lambda b: put(b("ScaledObject", "retrieval"), "spec", "scaleTargetRef", "name", value="search"),
        "ScaledObject retrieval: there is no Deployment search",
    ),
    "whom KEDA asks": (
        lambda b: put(b("ScaledObject", "retrieval"), *TRIGGER, "serverAddress", value="http://prometheus.monitoring.svc:9090"),
        "ScaledObject retrieval: nothing is known at prometheus.monitoring.svc:9090",
    ),
    "monitor of nothing": (
        lambda b: put(b("PodMonitor", "trigger"), "spec", "selector", "matchLabels", value={"app": "x"}),
        "PodMonitor trigger selects no Pod",
    ),
    "port of a monitor": (
        lambda b: put(b("PodMonitor", "retrieval"), "spec", "podMetricsEndpoints", 0, "port", value="metrics"),
        "PodMonitor retrieval: Deployment retrieval has no port metrics",
    ),
    "path of a monitor": (
        lambda b: put(b("PodMonitor", "retrieval"), "spec", "podMetricsEndpoints", 0, "path", value="/stats"),
        "PodMonitor retrieval: Deployment retrieval, container retrieval does not answer /stats",
    ),
    "Prometheus is let in": (
        lambda b: b.remove("NetworkPolicy", "monitoring"),
        "Deployment trigger does not let Prometheus in at its port http",
    ),
    "priority": (
        lambda b: b.remove("PriorityClass", "taxohash-serving"),
        "StatefulSet codestore: there is no PriorityClass taxohash-serving",
    ),
    "priority of nobody": (
        lambda b: [b.pod(name)["spec"].pop("priorityClassName") for name in ("retrieval", "retrieval-canary")]
        + [b.pod("codestore", STORE)["spec"].pop("priorityClassName")],
        "PriorityClass taxohash-serving is used by nobody",
    ),
    "key of an external Secret": (
        lambda b: put(b("ExternalSecret", "codestore-writer"), "spec", "data", 0, "secretKey", value="address"),
        "Deployment backfill, container backfill: TAXOHASH_REDIS_URL: Secret codestore-writer has no key url",
    ),
    "claim of a CronJob": (
        lambda b: put(b.volume("backup", "backups", "CronJob"), "persistentVolumeClaim", "claimName", value="backup"),
        "CronJob backup, volume backups: there is no PersistentVolumeClaim backup",
    ),
    "label of a CronJob": (
        lambda b: b.pod("backup", "CronJob")["metadata"]["labels"].pop("taxohash/codestore"),
        "CronJob backup does not reach the code store",
    ),
    "account of a CronJob": (
        lambda b: put(b.pod("prune", "CronJob"), "spec", "serviceAccountName", value="pruner"),
        "CronJob prune: there is no ServiceAccount pruner",
    ),
    "image of a CronJob": (
        lambda b: put(b.container("prune", "CronJob"), "image", value="taxohash/python-train:0.0.9"),
        "the image taxohash/python-train is of 2 versions",
    ),
    "probe of the exporter": (
        lambda b: put(b.container("codestore", STORE, 1), "livenessProbe", "httpGet", "path", value="/livez"),
        "container exporter: its livenessProbe asks for /livez, which its program does not answer",
    ),
    "certificate of the store": (
        lambda b: put(b.volume("codestore", "tls", STORE), "secret", "items", 0, "path", value="cert.pem"),
        "StatefulSet codestore, container valkey: what is mounted at /etc/valkey/tls has no file tls.crt",
    ),
    "who signed it": (
        lambda b: put(b.volume("codestore", "codestore-ca", STORE), "configMap", "name", value="authority"),
        "StatefulSet codestore, volume codestore-ca: there is no ConfigMap authority",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", [*BREAKS, *BREAKS_OF_COMPONENTS])
def test_what_is_broken_on_purpose_is_found_and_named(what: str) -> None:
    harm, sentence = {**BREAKS, **BREAKS_OF_COMPONENTS}[what]
    manifests = rendered("production") if what in BREAKS else render_with("production", TAKEN)
    harmed = Broken(deepcopy(manifests))
    harm(harmed)
    assert any(sentence in found for found in broken(harmed.manifests)), broken(harmed.manifests)


# -- every name, renamed ----------------------------------------------------------------------------------------------

NOT_OF_COMPONENTS = {
    r"^(CronJob|ExternalSecret|HTTPRoute|Ingress|PodMonitor|ScaledObject) \S+: metadata\.name$": "nothing in a namespace names these",
    r"^CronJob \S+: .*labels\.app\.kubernetes\.io/name\.?$": "read by people: nothing selects these pods",
    r"\.(concurrencyPolicy|restartPolicy|pathType|action|interval|refreshInterval|topologyKey)$": "words of Kubernetes and of operators: their schemas know them",
    r"^ExternalSecret \S+: spec\.(secretStoreRef\.name$|data\.\d+\.remoteRef\.|dataFrom\.)": "of a store of the user's",
    r"\.(hostnames\.\d+|parentRefs\.\d+\.name)$": "of a Gateway of the user's",
    r"relabelings\.\d+\.(replacement|targetLabel)$": "as rules and dashboards know them: test_serving_components.py",
    r"containers\.\d+\.env\.\d+\.(name|valueFrom\.configMapKeyRef\.key)$": "of the exporter, optional: test_exporter.py",
    r"containers\.1\.name$": "read by people",
}
# Places of names that may be others, by what matches the way there, and why nothing is broken by it.
NOT_REFERENCES = {
    r"(^|[ .])(apiVersion|kind|type|sizeLimit|protocol|whenUnsatisfiable|fsGroupChangePolicy)$|\.(policyTypes|accessModes|resources|drop)\.": "words and quantities of Kubernetes: its schemas know them",
    r"^\w+ \S+: metadata\.labels\.": "read when kustomize renders, and by people",
    r"\.app\.kubernetes\.io/part-of\.?$": "read by people, and by kubectl's -l: nothing selects by it",
    r"^(Deployment|StatefulSet|NetworkPolicy|PodDisruptionBudget|HorizontalPodAutoscaler|RoleBinding) \S+: metadata\.name$": "nothing in a namespace names these, but what scales a workload",
    r"^Service retrieval: metadata\.name$": "its clients are outside",
    r"^Service \S+: spec\.ports\.0\.name$": "named by monitors and an Ingress, which components bring",
    r"spec\.containers\.0\.name$": "read by people, and by kustomize's replacements when they render",
    r"\.verbs\.|\.apiGroups\.|roleRef\.apiGroup$": "words of Kubernetes and Kubeflow: test_pipelines.py holds those of the trigger",
    r"serviceAccountToken\.": "as Kubeflow knows it: test_pipelines.py",
    r"\.(args|command)\.\d+$": "words of a program, but for the ports and files among them: test_manifests.py and test_pipelines.py run them",
    r"\.env\.\d+\.value$|\.workingDir$": "values that are no names: those of settings are parsed, places must be mounted",
    r"^ConfigMap \S+: data\.": "likewise",
    **NOT_OF_COMPONENTS,
}  # fmt: skip


@pytest.mark.parametrize(
    ("overlay", "components"),
    [
        ("production", ()),
        pytest.param("dev", (), marks=pytest.mark.slow),
        pytest.param("staging", (), marks=pytest.mark.slow),
        pytest.param("production", TAKEN, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
    ids=["production", "dev", "staging", "components"],
)
def test_every_name_that_is_another_is_found(overlay: str, components: Names) -> None:
    manifests = render_with(overlay, components)
    count, missed, excused = 0, [], set()
    for manifest, path, _ in list(places(manifests)):
        count += 1
        with renamed(manifest, path):
            if broken(manifests):
                continue
        where = place_told(manifest, path)
        reasons = {pattern for pattern in NOT_REFERENCES if re.search(pattern, where)}
        excused |= reasons
        missed += [] if reasons else [where]
    assert missed == []
    assert count > 400
    assert broken(manifests) == []
    if not components:
        assert excused == NOT_REFERENCES.keys() - NOT_OF_COMPONENTS.keys()
    else:
        assert excused >= NOT_OF_COMPONENTS.keys()


# -- what is read ------------------------------------------------------------------------------------------------------


def test_secrets_are_read_off_the_commands_that_make_them() -> None:
    text = """
    kubectl -n $NAMESPACE create secret generic one --from-file=key=file.txt --from-literal=word=abc \\
      --from-file=folder/plain.json
    kubectl create secret tls two --cert=a --key=b
    kubectl create configmap three --from-file=ca.crt
    """
    assert dict(told("Secret", text)) == {"one": {"key", "word", "plain.json"}, "two": {"tls.crt", "tls.key"}}
    assert dict(told("ConfigMap", text)) == {"three": {"ca.crt"}}


def test_objects_have_names_of_their_own() -> None:
    for overlay in OVERLAYS:
        names = [(m["kind"], m["metadata"]["name"]) for m in rendered(overlay)]
        assert len(set(names)) == len(names)
        assert of_kind(rendered(overlay), "Deployment")
