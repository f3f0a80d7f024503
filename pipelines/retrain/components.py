"""The components that only the retraining pipeline has, see pipelines.steps.components."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Metrics, Model, Output

from pipelines.shared.placement import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_config(config: str, policy: str) -> str:
    from pipelines.retrain import steps

    return steps.check_config(config, policy)


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
    challenger: Input[Model],
    draft: Input[Model],
    champion: Input[Model],
    champion_id: str,
    data: str,
    dataset_md5: str,
    generations: str,
    policy: str,
    judgement: Output[Artifact],
    judged: Output[Model],
) -> None:
    from pipelines.retrain import steps

    steps.gate_hasher(
        challenger.path,
        draft.path,
        champion.path,
        champion_id,
        data,
        dataset_md5,
        generations,
        policy,
        judgement.path,
        judged.path,
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def export(run: Input[Model], data: str, dataset_md5: str, draft: Output[Model]) -> None:
    from pipelines.retrain import steps

    steps.export_hasher(run.path, data, draft.path)
