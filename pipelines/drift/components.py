"""The components that only the drift pipeline has, see pipelines.steps.components."""

from kfp import dsl
from kfp.dsl import Artifact, Metrics, Output

from pipelines.shared.placement import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def served(work: str, run: str, collection: str, generations: str, policy: str) -> str:
    from pipelines.drift import steps

    return steps.served(work, run, collection, generations, policy)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check(
    generation_id: str,
    collection: str,
    generations: str,
    policy: str,
    work: str,
    run: str,
    report: Output[Artifact],
    metrics: Output[Metrics],
) -> None:
    from pipelines.drift import steps

    found = steps.check(generation_id, collection, generations, policy, work, run, report.path, report.uri)
    for name, value in found.items():
        metrics.log_metric(name, value)
