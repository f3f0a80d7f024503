"""The retraining pipeline: check configuration, data and what lies ahead, train, evaluate, gate, export, index, backfill, publish,
collect.

python -m pipelines.retrain        renews pipelines/compiled/retrain.yaml
"""

from pathlib import Path

from kfp import compiler, dsl, kubernetes
from kfp.dsl import Model

from pipelines.retrain import components
from taxohash.runtime.configuration import canonical
from taxohash.training.config import HasherConfig

COMPILED = Path(__file__).resolve().parents[1] / "compiled" / "retrain.yaml"
# In a cluster: one claim for data, work and generations; the code store's address, of the account that may publish, from a Secret,
# and from another where pictures lie, and generations for those who serve them.
CLAIM, MOUNT = "taxohash-work", "/work"
SECRETS = {
    "codestore-admin": {"url": "TAXOHASH_REDIS_URL"},
    "pictures": {
        name: name
        for name in (
            *("TAXOHASH_PICTURES", "TAXOHASH_GENERATIONS"),
            *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"),
        )
    },
}


@dsl.pipeline(
    name="taxohash-retrain",
    description="Train a hasher; publish it with its codes if it is not worse than the one being served.",
)
def retrain(
    dataset_md5: str,
    config: str = canonical(HasherConfig()),
    image: str = components.IMAGE,
    data: str = f"{MOUNT}/data",
    work: str = f"{MOUNT}/runs",
    generations: str = f"{MOUNT}/generations",
    collection: str = "default",
    splits: str = "",
    publish_seconds: float = 600.0,
) -> Model:
    """Train, evaluate, and publish what the gate lets pass; the evaluated run, in which report.html lies.

    Kubeflow's cache key sees parameters, not volumes: the data's md5 and the image are parameters.

    `config` is the whole configuration of the hasher, as JSON; what it leaves out has its default. `splits` are those
    whose images can be found, such as "train,test"; all but `canary` if it is empty. `publish_seconds` is for how long
    codes are waited for, of items that came by the API.
    """

    def placed(task: dsl.PipelineTask, cached: bool = False) -> dsl.PipelineTask:
        task.set_container_image(image)
        # A step that changes or reads what no parameter names must never be answered from the cache.
        task.set_caching_options(cached)
        kubernetes.mount_pvc(task, pvc_name=CLAIM, mount_path=MOUNT)
        for secret, keys in SECRETS.items():
            kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env=keys)
        return task

    configured = placed(components.check_config(config=config), cached=True)
    checked = placed(components.check_data(data=data, dataset_md5=dataset_md5, splits=splits), cached=True)
    ahead = placed(
        components.check_ahead(data=data, splits=splits, collection=collection, generations=generations)
    )
    ahead.after(configured, checked)
    trained = placed(
        components.train(data=data, dataset_md5=dataset_md5, work=work, config=configured.output),
        cached=True,
    )
    trained.after(ahead)
    trained.set_cpu_request("2").set_memory_request("4G").set_memory_limit("8G")
    evaluated = placed(
        components.evaluate(run=trained.outputs["run"], data=data, dataset_md5=dataset_md5), cached=True
    )
    run = evaluated.outputs["evaluated"]
    verdict = placed(components.gate(run=run, data=data, collection=collection, generations=generations))
    with dsl.If(verdict.outputs["Output"] == True, name="passed"):  # noqa: E712 (builds a condition)
        exported = placed(components.export(run=run, data=data, generations=generations, splits=splits))
        indexed = placed(
            components.index(
                generation_id=exported.output, data=data, collection=collection, generations=generations
            )
        )
        filled = placed(
            components.backfill(
                generation_id=exported.output,
                data=data,
                collection=collection,
                generations=generations,
                codes=indexed.output,
            )
        )
        published = placed(
            components.publish(
                generation_id=exported.output,
                collection=collection,
                codes=filled.output,
                pipeline_run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                reason=verdict.outputs["reason"],
                wait=publish_seconds,
            )
        )
        placed(
            components.collect(collection=collection, pipeline_run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
        ).after(published)
    with dsl.Else(name="refused"):
        placed(components.refuse(reason=verdict.outputs["reason"]))
    return run


def compile_to(file: Path = COMPILED) -> Path:
    """Write the pipeline's intermediate representation."""
    file.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(retrain, str(file))
    return file
