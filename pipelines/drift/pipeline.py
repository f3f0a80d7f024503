"""The drift pipeline: what was asked and stored lately against the reference of the generation that is served.

    begin -> served -> check;  however it ends: record

It changes nothing. Nothing of it is cached: it looks at what the code store and the picture store have now.
"""

from kfp import dsl

from pipelines.drift import components
from pipelines.shared.placement import COLLECTION, GENERATIONS, IMAGE, WORK
from pipelines.steps import components as shared
from pipelines.steps import graphs
from taxohash.drift.policy import Policy
from taxohash.runtime.configuration import canonical


@dsl.pipeline(
    name="taxohash-drift",
    description="Compare what was asked and stored lately with what the served generation was measured on.",
)
def drift(
    run: str = "",
    policy: str = canonical(Policy()),
    image: str = IMAGE,
    work: str = WORK,
    generations: str = GENERATIONS,
    collection: str = COLLECTION,
) -> str:
    """Judge; the outcome of the run as JSON. Parameters are those of `retrain`."""
    placed = graphs.placing(image)
    recorded = placed(shared.record(work=work, run=run, job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER))
    with dsl.ExitHandler(recorded, name="run"):
        begun = placed(
            shared.begin(
                work=work,
                run=run,
                job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                pipeline="drift",
                collection=collection,
            )
        )
        served = placed(
            components.served(
                work=work, run=begun.output, collection=collection, generations=generations, policy=policy
            )
        )
        placed(
            components.check(
                generation_id=served.output,
                collection=collection,
                generations=generations,
                policy=policy,
                work=work,
                run=begun.output,
            ),
            kind="encoding",
        )
    outcome: str = recorded.output
    return outcome
