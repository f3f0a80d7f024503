"""The retraining pipeline: a hasher is learned from a data version, and published with its codes where it is not worse.

    begin -> resolve -> pull -> check-data, check-config -> check-ahead -> champion -> train -> evaluate
    champion -> compare;  evaluate -> export;  export, compare -> gate -> decide
    passed: plan -> encode, in shards -> build -> shadow -> seal -> backfill -> publish -> collect, or wait-for-approval
    refused: refuse;  however it ends: record

python -m pipelines.compiled        renews pipelines/compiled/retrain.yaml
"""

from kfp import dsl

from pipelines.retrain import components
from pipelines.shared.placement import COLLECTION, GENERATIONS, IMAGE, WORK
from pipelines.steps import components as shared
from pipelines.steps import graphs
from taxohash.evaluation.report.read import PAGE
from taxohash.release.gate import Policy
from taxohash.runtime.configuration import canonical
from taxohash.training.config import HasherConfig


@dsl.pipeline(
    name="taxohash-retrain",
    description="Train a hasher; publish it with its codes if it is not worse than the one being served.",
)
def retrain(
    dataset_md5: str = "",
    repository: str = "",
    revision: str = "main",
    data: str = "",
    remote: str = "",
    run: str = "",
    config: str = canonical(HasherConfig()),
    policy: str = canonical(Policy()),
    image: str = IMAGE,
    work: str = WORK,
    generations: str = GENERATIONS,
    collection: str = COLLECTION,
    splits: str = "",
    shards: int = 1,
    publish_seconds: float = 600.0,
) -> str:
    """Train, evaluate, and publish what the gate lets pass; the outcome of the run as JSON.

    Kubeflow's cache key sees parameters, not volumes: the data's md5 and the image are parameters.

    Args:
        dataset_md5: the data version; or the one that data.dvc names at `revision` of `repository`, a git address.
        data: folder that holds this version; if empty it is pulled from `remote`, where DVC pushed it: a folder or s3://bucket/prefix.
        run: its name; Kubeflow's own if empty.
        config: the whole configuration of the hasher, as JSON; what it leaves out has its default.
        policy: the gate's, as JSON.
        splits: those whose images can be found, such as "train,test"; all but `canary` if it is empty.
        shards: parts in which the data are encoded, side by side.
        publish_seconds: for how long codes are waited for, of items that came by the API.
    """
    placed = graphs.placing(image)
    recorded = placed(shared.record(work=work, run=run, job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER))
    with dsl.ExitHandler(recorded, name="run"):
        version = graphs.begin(
            placed,
            "retrain",
            run=run,
            work=work,
            collection=collection,
            dataset_md5=dataset_md5,
            repository=repository,
            revision=revision,
            data=data,
            remote=remote,
            splits=splits,
        )
        configured = placed(components.check_config(config=config, policy=policy), cached=True)
        where = {"data": version.data, "collection": collection, "generations": generations}
        ahead = placed(components.check_ahead(splits=splits, **where))
        ahead.after(configured, version.checked)
        champion = placed(shared.champion(work=work, run=version.run, dataset_md5=version.md5, **where))
        champion.after(ahead)
        of_data = {"data": version.data, "dataset_md5": version.md5}
        trained = placed(
            components.train(work=work, config=configured.output, **of_data), kind="training", cached=True
        )
        trained.after(ahead)
        evaluated = placed(
            components.evaluate(run=trained.outputs["run"], **of_data), kind="training", cached=True
        )
        compared = placed(
            shared.compare(champion=champion.output, generations=generations, **of_data),
            kind="training",
            cached=True,
        )
        exported = placed(
            components.export(run=evaluated.outputs["evaluated"], **of_data), kind="training", cached=True
        )
        judged = placed(
            components.gate(
                challenger=evaluated.outputs["evaluated"],
                draft=exported.outputs["draft"],
                champion=compared.outputs["evaluated"],
                champion_id=champion.output,
                generations=generations,
                policy=policy,
                **of_data,
            ),
            cached=True,
        )
        decided = placed(
            shared.decide(
                judgement=judged.outputs["judgement"],
                evaluated=judged.outputs["judged"],
                page=PAGE,
                work=work,
                run=version.run,
            )
        )
        verdict, reason = decided.outputs["verdict"], decided.outputs["reason"]
        with dsl.If(verdict != "refused", name="passes"):
            built = graphs.generation(
                placed,
                version,
                exported.outputs["draft"],
                splits=splits,
                shards=shards,
                generations=generations,
                work=work,
            )
            graphs.publish(
                placed,
                version,
                built,
                verdict=verdict,
                reason=reason,
                champion=champion.output,
                collection=collection,
                generations=generations,
                work=work,
                wait=publish_seconds,
                image=image,
                config=configured.output,
            )
        with dsl.Else(name="refused"):
            placed(shared.refuse(work=work, run=version.run, reason=reason))
    outcome: str = recorded.output
    return outcome
