"""The pipelines in the form that Kubeflow runs: what is committed here is what the sources say."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def compile_to(folder: Path = FOLDER) -> list[Path]:
    """Write the intermediate representation of every pipeline."""
    from kfp import compiler

    from pipelines.reindex.pipeline import reindex
    from pipelines.retrain.pipeline import retrain

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for pipeline in (retrain, reindex):
        file = folder / f"{pipeline.pipeline_func.__name__}.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        files.append(file)
    return files
