"""The components that only the reindexing pipeline has, see pipelines.steps.components."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from pipelines.shared.placement import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_ahead(data: str, splits: str, collection: str, generations: str, policy: str) -> None:
    from pipelines.reindex import steps

    steps.check_ahead(data, splits, collection, generations, policy)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def borrow(
    champion: str,
    evaluated: Input[Model],
    data: str,
    dataset_md5: str,
    generations: str,
    draft: Output[Model],
) -> None:
    from pipelines.reindex import steps

    steps.borrow_hasher(champion, evaluated.path, data, generations, draft.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def judge(
    champion: str,
    generation_id: str,
    data: str,
    generations: str,
    policy: str,
    judgement: Output[Artifact],
) -> None:
    from pipelines.reindex import steps

    steps.judge_generation(champion, generation_id, data, generations, policy, judgement.path)
