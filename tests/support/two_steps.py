"""A pipeline of two steps and one that says what came of them, compiled as those of the project are."""

from pathlib import Path

from kfp import compiler, dsl

from pipelines.shared import placement


@dsl.component(base_image="none", install_kfp_package=False)
def prepare(dataset_md5: str) -> str:
    return dataset_md5


@dsl.component(base_image="none", install_kfp_package=False)
def train(data: str, epochs: int) -> str:
    return data


@dsl.component(base_image="none", install_kfp_package=False)
def record(run: str) -> str:
    return run


def two_steps(dataset_md5: str, run: str = "", collection: str = "default", epochs: int = 1) -> None:
    prepared = placement.apply(prepare(dataset_md5=dataset_md5))
    trained = placement.apply(train(data=prepared.output, epochs=epochs))
    placement.apply(record(run=run)).after(trained)


def compile_to(folder: Path) -> Path:
    """Compile it into a folder; the file."""
    file = folder / "retrain.yaml"
    # Not while the module is imported: kfp looks at the whole stack for each word about a task, of which the frames of imports are
    # the slowest to look at.
    pipeline = dsl.pipeline(name="taxohash-retrain", description="Two steps.")(two_steps)
    compiler.Compiler().compile(pipeline, str(file))
    return file
