"""Where a pipeline's pods run in a cluster, and with what: the names that pipelines and manifests have in common.

A pipeline calls `apply` for each of its tasks. It places them as `Placement()` says, which is what manifests/base and the
compiled pipelines hold; `placed` traces a pipeline again for another cluster. On one machine kfp heeds none of it but the image.
"""

from contextvars import ContextVar
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from services import settings
from taxohash.runtime.configuration import Series, configuration

if TYPE_CHECKING:
    from kfp import dsl

# Where the claim is mounted, and what lies there.
MOUNT = "/work"
WORK, GENERATIONS, EVENTS = MOUNT, f"{MOUNT}/generations", f"{MOUNT}/events"
COLLECTION = settings.COLLECTION.default
# Where who signed the code store's certificate is mounted, in pods of services too: manifests/components/authority.
AUTHORITY_MOUNT = "/etc/codestore"
IMAGE = "taxohash/python-train:0.1.0"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
# What the manifests' network policies let through: to the code store, and to addresses outside of the cluster, such as a
# bucket. Argo labels the pods of a run itself, those of Kubeflow's drivers too, and the policy for its own ways selects those.
LABELS = {
    "app.kubernetes.io/name": "pipelines",
    "app.kubernetes.io/part-of": "taxohash",
    "taxohash/codestore": "client",
    "taxohash/bucket": "client",
}
RUN_LABEL = "workflows.argoproj.io/workflow"  # its value is another for each run

Cpu = Annotated[str, Field(pattern=r"^[0-9]+m?$", examples=["2", "500m"])]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(Ki|Mi|Gi|Ti)$", examples=["512Mi", "4Gi"])]
Name = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253, examples=["taxohash-work"])
]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", examples=["TAXOHASH_PICTURES"])]


@configuration
class Toleration:
    """A taint of nodes on which a pod may run all the same.

    Attributes:
        key: of the taint.
        operator: `Exists` for any value, `Equal` for that one.
        value: of the taint.
        effect: of the taint; any if left out.
    """

    key: str
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


@configuration
class Resources:
    """What the pods of some steps get, and on which nodes.

    Attributes:
        cpu: cores that are set aside, such as 2 or 500m.
        memory: what is set aside.
        memory_limit: beyond which the pod is ended.
        gpus: how many; 0 is none.
        gpu: name of the resource that a GPU is; its pods run on nodes with the taint of that name, too.
        nodes: labels that a node must have.
        tolerations: taints that a node may have.
    """

    cpu: Cpu = "500m"
    memory: Memory = "1Gi"
    memory_limit: Memory = "2Gi"
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    gpu: Annotated[str, Field(min_length=1)] = "nvidia.com/gpu"
    nodes: dict[str, str] = field(default_factory=dict)
    tolerations: Series[Toleration] = ()


@configuration
class Training(Resources):
    """As `Resources`, for steps that train."""

    cpu: Cpu = "2"
    memory: Memory = "4Gi"
    memory_limit: Memory = "8Gi"


@configuration
class Encoding(Resources):
    """As `Resources`, for steps that encode."""

    cpu: Cpu = "1"
    memory: Memory = "2Gi"
    memory_limit: Memory = "4Gi"


@configuration
class FromObject:
    """Variables that pods get from a Secret or a ConfigMap.

    Attributes:
        name: of that object.
        keys: the variable that each of its keys becomes.
        optional: whether a pod starts without the object, or one of its keys.
    """

    name: Name
    keys: dict[str, Variable]
    optional: bool = False


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


STORE = FromObject(
    name="codestore-admin", keys={"url": settings.REDIS_URL.name}
)  # the account that may publish
PICTURES = FromObject(
    name="pictures",
    keys=_same(
        *(settings.PICTURES.name, settings.GENERATIONS.name),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"),
    ),
)
NOTIFY = FromObject(name="notify", keys={"url": settings.NOTIFY_URL.name}, optional=True)
APPROVAL = FromObject(name="trigger", keys={"approval-secret": settings.APPROVAL_SECRET.name}, optional=True)
SETTINGS = FromObject(
    name="pipelines",
    keys=_same(
        *(settings.COLLECTION.name, settings.CACHE.name, settings.EVENTS.name, settings.APPROVAL_URL.name),
        settings.CODESTORE.name,
    ),
)
# Keys are files: each of the two is mounted, and its key `file` names the one to be read there. Only steps that sign see the private one.
SIGNING = FromObject(
    name="signing",
    keys={"file": settings.SIGN_KEY.name, "passphrase": settings.SIGN_PASSPHRASE.name},
    optional=True,
)
VERIFYING = FromObject(name="verifying", keys={"file": settings.VERIFY_KEY.name}, optional=True)
SIGNING_MOUNT, VERIFYING_MOUNT = "/etc/taxohash/signing", "/etc/taxohash/verifying"
Kind = Literal["light", "training", "encoding"]


@configuration
class Placement:
    """How all pods of all pipelines are placed.

    Attributes:
        namespace: in which runs run, beside code store and service.
        service_account: of their pods.
        claim: for data, work and generations, mounted at /work.
        secrets: variables from Secrets.
        settings: variables from ConfigMaps.
        authority: ConfigMap with who signed the certificate of the code store, mounted at /etc/codestore where it is there.
        signing: the Secret with the private key that signs generations; mounted at /etc/taxohash/signing where they are made.
        verifying: the ConfigMap with the public keys of which one must have signed; mounted at /etc/taxohash/verifying.
        labels: of pods, which network policies match.
        queue: name of Kueue's LocalQueue that admits the pods; none if empty.
        light: of steps that check, judge, write and publish.
        training: of the steps that train and evaluate.
        encoding: of the steps that encode a shard.
    """

    namespace: Name = "taxohash"
    service_account: Name = "pipelines"
    claim: Name = "taxohash-work"
    secrets: Series[FromObject] = (STORE, PICTURES, NOTIFY, APPROVAL)
    settings: Series[FromObject] = (SETTINGS,)
    authority: Name = "codestore-ca"
    signing: FromObject = SIGNING
    verifying: FromObject = VERIFYING
    labels: dict[str, str] = field(default_factory=LABELS.copy)
    queue: str = ""
    light: Resources = field(default_factory=Resources)
    training: Training = field(default_factory=Training)
    encoding: Encoding = field(default_factory=Encoding)

    def resources(self, kind: Kind) -> Resources:
        """What the pods of such steps get."""
        return {"light": self.light, "training": self.training, "encoding": self.encoding}[kind]


_current: ContextVar[Placement] = ContextVar("placement", default=Placement())  # noqa: B039 (frozen)


def apply(
    task: "dsl.PipelineTask",
    *,
    image: Any = IMAGE,
    kind: Kind = "light",
    cached: bool = False,
    signs: bool = False,
) -> "dsl.PipelineTask":
    """Place a task.

    Args:
        image: that it runs in; the pipeline's parameter.
        cached: whether its result may be that of an earlier run. Only where every input is a parameter or an artifact: what
            lies on the claim or in the code store is not seen by Kubeflow's cache.
        signs: whether it gets the private key that signs generations.
    """
    from kfp import kubernetes

    _check_at_once()
    placement = _current.get()
    task.set_container_image(image)
    task.set_caching_options(cached)
    kubernetes.mount_pvc(task, pvc_name=placement.claim, mount_path=MOUNT)
    secrets, configs = [*placement.secrets], [*placement.settings, placement.verifying]
    if signs:
        secrets.append(placement.signing)
        kubernetes.use_secret_as_volume(
            task, placement.signing.name, SIGNING_MOUNT, optional=placement.signing.optional
        )
    kubernetes.use_config_map_as_volume(
        task, placement.verifying.name, VERIFYING_MOUNT, optional=placement.verifying.optional
    )
    for secret in secrets:
        kubernetes.use_secret_as_env(task, secret.name, dict(secret.keys), optional=secret.optional)
    for config in configs:
        kubernetes.use_config_map_as_env(task, config.name, dict(config.keys), optional=config.optional)
    kubernetes.use_config_map_as_volume(task, placement.authority, AUTHORITY_MOUNT, optional=True)
    kubernetes.use_field_path_as_env(task, settings.RUN_ID.name, f"metadata.labels['{RUN_LABEL}']")
    queue = {QUEUE_LABEL: placement.queue} if placement.queue else {}
    for name, value in {**placement.labels, **queue}.items():
        kubernetes.add_pod_label(task, name, value)
    _give(task, placement.resources(kind))
    return task


def _give(task: "dsl.PipelineTask", resources: Resources) -> None:
    from kfp import kubernetes

    task.set_cpu_request(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory_limit)
    tolerations = list(resources.tolerations)
    if resources.gpus:
        task.set_accelerator_type(resources.gpu).set_accelerator_limit(resources.gpus)
        tolerations.append(Toleration(key=resources.gpu, effect="NoSchedule"))
    for name, value in resources.nodes.items():
        kubernetes.add_node_selector(task, name, value)
    for taint in tolerations:
        kubernetes.add_toleration(task, taint.key, taint.operator, taint.value, taint.effect)


@cache
def _check_at_once() -> None:
    """Have kfp check that a task has a container, and no more, whenever something of it is set.

    To name the method in an error it reads the source of all that is on the stack: seconds for a pipeline.
    """
    from kfp import dsl

    def check(task: Any) -> None:
        if task.container_spec is None:
            raise ValueError("only a step that is a container has an image and resources")

    dsl.PipelineTask._ensure_container_spec_exists = check


def placed(pipeline: Any, placement: Placement) -> Any:
    """A pipeline (`dsl.pipeline`) with its tasks placed otherwise."""
    from kfp import dsl

    token = _current.set(placement)
    try:
        return dsl.pipeline(name=pipeline.name, description=pipeline.description)(pipeline.pipeline_func)
    finally:
        _current.reset(token)
