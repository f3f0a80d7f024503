"""The reindexing pipeline: a new data version becomes searchable by the hasher that is served, without training.

    begin -> resolve -> pull -> check-data -> check-ahead -> champion -> compare -> borrow -> plan -> encode, in shards -> build
    build -> judge -> decide;  passed: shadow -> seal -> backfill -> publish -> collect, or wait-for-approval
    refused: refuse;  however it ends: record

It is judged by its health, the canaries, and how much of the catalogue changes; not by the champion's metrics, since pictures that
are new or corrected have to be found even where the hasher is a little worse on them.
"""

from kfp import dsl

from pipelines.reindex import components
from pipelines.shared.placement import COLLECTION, GENERATIONS, IMAGE, WORK
from pipelines.steps import components as shared
from pipelines.steps import graphs
from taxohash.evaluation.report.read import REPORT
from taxohash.release.reindexing import Policy
from taxohash.runtime.configuration import canonical


@dsl.pipeline(
    name="taxohash-reindex",
    description="Make a new data version searchable by the hasher that is served.",
)
def reindex(
    dataset_md5: str = "",
    repository: str = "",
    revision: str = "main",
    data: str = "",
    remote: str = "",
    run: str = "",
    policy: str = canonical(Policy()),
    image: str = IMAGE,
    work: str = WORK,
    generations: str = GENERATIONS,
    collection: str = COLLECTION,
    splits: str = "",
    shards: int = 1,
    publish_seconds: float = 600.0,
) -> str:
    """Encode, judge, and publish what passes; the outcome of the run as JSON. Parameters are those of `retrain`."""
    placed = graphs.placing(image)
    recorded = placed(shared.record(work=work, run=run, job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER))
    with dsl.ExitHandler(recorded, name="run"):
        version = graphs.begin(
            placed,
            "reindex",
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
        where = {"data": version.data, "collection": collection, "generations": generations}
        of_data = {"data": version.data, "dataset_md5": version.md5}
        ahead = placed(components.check_ahead(splits=splits, policy=policy, **where)).after(version.checked)
        champion = placed(shared.champion(work=work, run=version.run, dataset_md5=version.md5, **where))
        champion.after(ahead)
        # Always so, after check-ahead; but kfp.local gives a loop's items to all that the loop takes of tasks beside it.
        with dsl.If(champion.output != "", name="served"):
            compared = placed(
                shared.compare(champion=champion.output, generations=generations, **of_data),
                kind="training",
                cached=True,
            )
            borrowed = placed(
                components.borrow(
                    champion=champion.output,
                    evaluated=compared.outputs["evaluated"],
                    generations=generations,
                    **of_data,
                ),
                cached=True,
            )
            built = graphs.generation(
                placed,
                version,
                borrowed.outputs["draft"],
                splits=splits,
                shards=shards,
                generations=generations,
                work=work,
            )
            judged = placed(
                components.judge(
                    champion=champion.output,
                    generation_id=built.output,
                    data=version.data,
                    generations=generations,
                    policy=policy,
                )
            )
            decided = placed(
                shared.decide(
                    judgement=judged.outputs["judgement"],
                    evaluated=compared.outputs["evaluated"],
                    page=REPORT,
                    work=work,
                    run=version.run,
                )
            )
            verdict, reason = decided.outputs["verdict"], decided.outputs["reason"]
            with dsl.If(verdict != "refused", name="passes"):
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
                    config="",
                )
            with dsl.Else(name="refused"):
                placed(shared.refuse(work=work, run=version.run, reason=reason))
    outcome: str = recorded.output
    return outcome
