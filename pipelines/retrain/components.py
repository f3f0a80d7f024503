"""The components of the retraining pipeline: typed edges around one call each.

A component's body is shipped as source and runs in its own process, so it imports what it calls.
"""

from kfp import dsl
from kfp.dsl import HTML, Input, Metrics, Model, Output

# The project's image; a run names its own by the pipeline's `image` parameter.
IMAGE = "taxohash/python-train:0.1.0"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_config(config: str) -> str:
    from pipelines.retrain import steps

    return steps.check_config(config)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_data(data: str, dataset_md5: str, splits: str) -> None:
    from pipelines.retrain import steps

    steps.check_data(data, dataset_md5, splits)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_ahead(data: str, splits: str, collection: str, generations: str) -> None:
    from pipelines.retrain import steps

    steps.check_ahead(data, splits, collection, generations)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(data: str, dataset_md5: str, work: str, config: str, run: Output[Model]) -> None:
    from pipelines.retrain import steps

    steps.train_hasher(data, work, config, run.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    run: Input[Model],
    data: str,
    dataset_md5: str,
    evaluated: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
) -> None:
    import json
    from pathlib import Path

    from pipelines.retrain import steps

    headline = steps.evaluate_hasher(run.path, data, evaluated.path, report.path)
    for name, value in headline.items():
        metrics.log_metric(name, value)
    Path(metrics.path).write_text(json.dumps(headline))  # a cache takes an artifact without a file for lost


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def gate(
    run: Input[Model],
    data: str,
    collection: str,
    generations: str,
    reason: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> bool:
    from pathlib import Path

    from pipelines.retrain import steps

    verdict = steps.gate_hasher(run.path, data, collection, generations)
    Path(reason).write_text(verdict.reason)
    return verdict.passed


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def export(run: Input[Model], data: str, generations: str, splits: str) -> str:
    from pipelines.retrain import steps

    return steps.export_hasher(run.path, data, generations, splits)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def index(generation_id: str, data: str, collection: str, generations: str) -> int:
    from pipelines.retrain import steps

    return steps.index_codes(generation_id, data, collection, generations)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def backfill(generation_id: str, data: str, collection: str, generations: str, codes: int) -> int:
    from pipelines.retrain import steps

    return steps.backfill_codes(generation_id, data, collection, generations)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def publish(
    generation_id: str, collection: str, codes: int, pipeline_run: str, reason: str, wait: float
) -> str:
    from pipelines.retrain import steps

    return steps.publish_generation(generation_id, collection, pipeline_run, reason, wait)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def collect(collection: str, pipeline_run: str) -> None:
    from pipelines.retrain import steps

    steps.collect_garbage(collection, pipeline_run)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refuse(reason: str) -> None:
    from pipelines.retrain import steps

    steps.report_refusal(reason)
