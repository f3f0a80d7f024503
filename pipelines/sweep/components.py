"""The components that only the sweep pipeline has, see pipelines.steps.components."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Output

from pipelines.shared.placement import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_sweep(dataset_md5: str, config: str, search: list[str], trials: int, metric: str, seed: int) -> str:
    from pipelines.sweep import steps

    return steps.check(dataset_md5, config, search, trials, metric, seed)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def hold_out(work: str, run: str, data: str, plan: str) -> str:
    from pipelines.sweep import steps

    return steps.hold_out(work, run, data, plan)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ask(
    plan: str,
    before: str,
    told: list[str],
    trials: int,
    number: int,
    history: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> list[str]:
    from pathlib import Path

    from pipelines.sweep import steps

    over, asked = steps.ask(plan, before, told, trials, number)
    Path(history).write_text(over)
    return asked


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def trial(work: str, data: str, dataset_md5: str, plan: str, asked: str) -> str:
    from pipelines.sweep import steps

    return steps.trial(work, data, plan, asked)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def choose(
    plan: str,
    before: str,
    told: list[str],
    data: str,
    work: str,
    run: str,
    best: Output[Artifact],
    page: Output[HTML],
) -> str:
    from pipelines.sweep import steps

    return steps.choose(plan, before, told, data, work, run, best.path, page.path, page.uri)
