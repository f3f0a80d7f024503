"""Parts of graphs that several pipelines have: how a run begins, and how a generation is made and published."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from pipelines.shared.placement import Kind, apply
from pipelines.steps import components

Task = Any  # dsl.PipelineTask, which is not typed
Place = Callable[..., Task]


def placing(image: Any) -> Place:
    """What places a task in this image."""

    def placed(task: Task, kind: Kind = "light", cached: bool = False, signs: bool = False) -> Task:
        return apply(task, image=image, kind=kind, cached=cached, signs=signs)

    return placed


@dataclass(frozen=True)
class Version:
    """A run that has its name and its data.

    Attributes:
        run, md5, data: names for the steps that follow.
        checked: the task after which the data are known to be sound.
    """

    run: Any
    md5: Any
    data: Any
    checked: Task


def begin(
    placed: Place,
    pipeline: str,
    *,
    run: Any,
    work: Any,
    collection: Any,
    dataset_md5: Any,
    repository: Any,
    revision: Any,
    data: Any,
    remote: Any,
    splits: Any,
) -> Version:
    """begin -> resolve -> pull -> check-data."""
    begun = placed(
        components.begin(
            work=work,
            run=run,
            job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            pipeline=pipeline,
            collection=collection,
        )
    )
    resolved = placed(
        components.resolve(dataset_md5=dataset_md5, repository=repository, revision=revision)
    ).after(begun)
    pulled = placed(components.pull(dataset_md5=resolved.output, data=data, remote=remote, work=work))
    checked = placed(
        components.check_data(data=pulled.output, dataset_md5=resolved.output, splits=splits), cached=True
    )
    return Version(begun.output, resolved.output, pulled.output, checked)


def generation(
    placed: Place, version: Version, draft: Any, *, splits: Any, shards: Any, generations: Any, work: Any
) -> Task:
    """plan -> encode, shard by shard -> build, which signs; its output is the generation's id."""
    planned = placed(components.plan(shards=shards), cached=True)
    with dsl.ParallelFor(planned.output, name="shards") as shard:
        encoded = placed(
            components.encode(
                draft=draft, data=version.data, dataset_md5=version.md5, splits=splits, shard=shard
            ),
            kind="encoding",
            cached=True,
        )
    return placed(
        components.build(
            draft=draft,
            codes=dsl.Collected(encoded.outputs["codes"]),
            data=version.data,
            splits=splits,
            generations=generations,
            work=work,
            run=version.run,
        ),
        signs=True,
    )


def publish(
    placed: Place,
    version: Version,
    built: Task,
    *,
    verdict: Any,
    reason: Any,
    champion: Any,
    collection: Any,
    generations: Any,
    work: Any,
    wait: Any,
    image: Any,
    config: Any,
) -> None:
    """shadow -> seal -> backfill -> publish -> collect, or wait-for-approval where the verdict is that."""
    where = {"data": version.data, "collection": collection, "generations": generations}
    compared = placed(
        components.shadow(generation_id=built.output, champion=champion, work=work, run=version.run, **where),
        kind="encoding",
    )
    sealed = placed(
        components.seal(
            generation_id=built.output, work=work, run=version.run, image=image, config=config, **where
        )
    ).after(compared)
    filled = placed(
        components.backfill(generation_id=built.output, codes=sealed.output, **where), kind="encoding"
    )
    ending = {
        "generation_id": built.output,
        "collection": collection,
        "work": work,
        "run": version.run,
        "reason": reason,
        "codes": filled.output,
    }
    with dsl.If(verdict == "awaits", name="awaits"):
        placed(components.wait_for_approval(**ending))
    with dsl.Else(name="publishes"):
        published = placed(components.publish(champion=champion, wait=wait, **ending))
        placed(components.collect(collection=collection, run=version.run)).after(published)
