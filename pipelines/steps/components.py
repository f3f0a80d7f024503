"""The components of the steps that several pipelines have: typed edges around one call each.

A component's body is shipped as source and runs in its own process, so it imports what it calls.
"""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Metrics, Model, Output

from pipelines.shared.placement import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def begin(work: str, run: str, job: str, pipeline: str, collection: str) -> str:
    from pipelines.steps import ends

    return ends.begin(work, run, job, pipeline, collection)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def record(work: str, run: str, job: str, status: dsl.PipelineTaskFinalStatus) -> str:
    from pipelines.steps import ends

    error = "" if status.state == "SUCCEEDED" else status.error_message or status.state
    return ends.end(work, run, job, error)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def resolve(dataset_md5: str, repository: str, revision: str) -> str:
    from pipelines.steps import versions

    return versions.resolve(dataset_md5, repository, revision)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def pull(dataset_md5: str, data: str, remote: str, work: str) -> str:
    from pipelines.steps import versions

    return versions.pull(dataset_md5, data, remote, work)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_data(data: str, dataset_md5: str, splits: str) -> None:
    from pipelines.steps import versions

    versions.check(data, splits)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def champion(work: str, run: str, data: str, dataset_md5: str, collection: str, generations: str) -> str:
    from pipelines.steps import champion

    return champion.resolve(work, run, data, dataset_md5, collection, generations)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def compare(
    champion: str,
    data: str,
    dataset_md5: str,
    generations: str,
    evaluated: Output[Model],
    metrics: Output[Metrics],
) -> None:
    import json
    from pathlib import Path

    from pipelines.steps import champion as steps

    headline = steps.evaluate(champion, data, generations, evaluated.path)
    for name, value in headline.items():
        metrics.log_metric(name, value)
    Path(metrics.path).write_text(json.dumps(headline))  # a cache takes an artifact without a file for lost


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan(shards: int) -> list[str]:
    from pipelines.steps import codes

    return codes.plan(shards)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def encode(
    draft: Input[Model], data: str, dataset_md5: str, splits: str, shard: str, codes: Output[Artifact]
) -> None:
    from pipelines.steps import codes as steps

    steps.encode(draft.path, data, splits, shard, codes.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def build(
    draft: Input[Model],
    codes: Input[list[Artifact]],
    data: str,
    splits: str,
    generations: str,
    work: str,
    run: str,
) -> str:
    from pipelines.steps import codes as steps

    return steps.build(draft.path, [part.path for part in codes], data, splits, generations, work, run)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def shadow(
    generation_id: str,
    champion: str,
    data: str,
    collection: str,
    generations: str,
    work: str,
    run: str,
    compared: Output[Artifact],
    comparison: Output[HTML],
) -> None:
    from pipelines.steps import shadow as steps

    steps.compare(
        champion,
        generation_id,
        data,
        collection,
        generations,
        work,
        run,
        compared.path,
        compared.uri,
        comparison.path,
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def seal(
    generation_id: str,
    data: str,
    collection: str,
    generations: str,
    work: str,
    run: str,
    image: str,
    config: str,
) -> int:
    from pipelines.steps import publishing

    return publishing.seal(generation_id, data, collection, generations, work, run, image, config)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def backfill(generation_id: str, data: str, collection: str, generations: str, codes: int) -> int:
    from pipelines.steps import publishing

    return publishing.backfill(generation_id, data, collection, generations)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def publish(
    generation_id: str,
    collection: str,
    champion: str,
    work: str,
    run: str,
    reason: str,
    wait: float,
    codes: int,
) -> bool:
    from pipelines.steps import publishing

    return publishing.publish(generation_id, collection, champion, work, run, reason, wait)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def wait_for_approval(
    generation_id: str, collection: str, work: str, run: str, reason: str, codes: int
) -> None:
    from pipelines.steps import publishing

    publishing.wait_for_approval(generation_id, collection, work, run, reason)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refuse(work: str, run: str, reason: str) -> None:
    from pipelines.steps import publishing

    publishing.refuse(work, run, reason)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def collect(collection: str, run: str) -> None:
    from pipelines.steps import publishing

    publishing.collect(collection, run)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def decide(
    judgement: Input[Artifact],
    evaluated: Input[Model],
    page: str,
    work: str,
    run: str,
    verdict: dsl.OutputPath(str),  # type: ignore[valid-type]
    reason: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> None:
    from pathlib import Path

    from pipelines.steps import judgement as steps

    found = steps.decide(judgement.path, f"{evaluated.uri}/{page}", work, run)
    Path(verdict).write_text(found.verdict)
    Path(reason).write_text(found.reason)
