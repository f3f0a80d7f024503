"""The sweep pipeline: hyper-parameters are tried on held-out pictures of a data version, round by round.

    begin -> resolve -> pull -> check-data -> check-sweep -> hold-out
    ask -> trial, side by side;  of each of four rounds, and then choose;  however it ends: record

A round is suggested by all that were over before it, so that the same sweep tries the same, wherever it runs and however often
it was interrupted.
"""

from typing import Any

from kfp import dsl

from pipelines.shared.placement import COLLECTION, GENERATIONS, IMAGE, WORK
from pipelines.steps import components as shared
from pipelines.steps import graphs
from pipelines.sweep import components
from pipelines.sweep.steps import ROUNDS
from taxohash.runtime.configuration import canonical
from taxohash.sweep.run import HEADLINE
from taxohash.sweep.space import STANDARD
from taxohash.training.config import HasherConfig


@dsl.pipeline(
    name="taxohash-sweep",
    description="Choose hyper-parameters on held-out pictures of the training split; nothing is published.",
)
def sweep(
    dataset_md5: str = "",
    repository: str = "",
    revision: str = "main",
    data: str = "",
    remote: str = "",
    run: str = "",
    config: str = canonical(HasherConfig()),
    search: list[str] = list(STANDARD),  # noqa: B006 (kfp reads it once)
    trials: int = 20,
    metric: str = HEADLINE,
    seed: int = 0,
    image: str = IMAGE,
    work: str = WORK,
    generations: str = GENERATIONS,
    collection: str = COLLECTION,
) -> str:
    """Try, and choose; the outcome of the run as JSON. Other parameters are those of `retrain`.

    Args:
        config: what is not searched.
        search: what is tried, as `taxohash sweep` takes it.
        trials: how many.
        metric: of the held-out pictures.
        seed: of what is suggested.
    """
    placed = graphs.placing(image)
    recorded = placed(shared.record(work=work, run=run, job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER))
    with dsl.ExitHandler(recorded, name="run"):
        version = graphs.begin(
            placed,
            "sweep",
            run=run,
            work=work,
            collection=collection,
            dataset_md5=dataset_md5,
            repository=repository,
            revision=revision,
            data=data,
            remote=remote,
            splits="",
        )
        checked = placed(
            components.check_sweep(
                dataset_md5=version.md5,
                config=config,
                search=search,
                trials=trials,
                metric=metric,
                seed=seed,
            ),
            cached=True,
        )
        plan = checked.output
        held = placed(
            components.hold_out(work=work, run=version.run, data=version.data, plan=plan), kind="encoding"
        ).after(version.checked)
        # kfp's local runner hands a loop's item to all inputs that come from steps beside the loop: here they come from above.
        with dsl.If(held.output != "", name="measurable"):
            before: Any = "[]"
            told: Any = []
            for number in range(ROUNDS):
                asked = placed(
                    components.ask(plan=plan, before=before, told=told, trials=trials, number=number),
                    cached=True,
                )
                with dsl.ParallelFor(asked.outputs["Output"], name=f"round-{number + 1}") as one:
                    tried = placed(
                        components.trial(
                            work=work, data=version.data, dataset_md5=version.md5, plan=plan, asked=one
                        ),
                        kind="training",
                        cached=True,
                    )
                before, told = asked.outputs["history"], dsl.Collected(tried.output)
            placed(
                components.choose(
                    plan=plan, before=before, told=told, data=version.data, work=work, run=version.run
                )
            )
    outcome: str = recorded.output
    return outcome
